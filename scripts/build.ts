import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { root } from "./checkout.ts";
import { tool } from "./tool.ts";

// Emits src/ and sdk/typescript as JavaScript and declarations to dist/: what an installed package runs.

rmSync(`${root}/dist`, { recursive: true, force: true });
for (const project of ["tsconfig.build.json", "sdk/typescript"]) {
  const built = spawnSync(process.execPath, [tool("tsc"), "-p", project], {
    cwd: root,
    stdio: "inherit",
  });
  process.exitCode ||= built.status ?? 1;
}
