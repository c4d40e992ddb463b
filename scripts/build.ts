import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { root } from "./checkout.ts";
import { tool } from "./tool.ts";

// Emits src/ as JavaScript and declarations to dist/: what an installed package runs.

rmSync(`${root}/dist`, { recursive: true, force: true });
const built = spawnSync(process.execPath, [tool("tsc"), "-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
process.exitCode = built.status ?? 1;
