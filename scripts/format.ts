import { spawnSync } from "node:child_process";
import { formatted, root } from "./checkout.ts";
import { tool } from "./tool.ts";

// Formats everything that the gate holds to the format.

const done = spawnSync(process.execPath, [tool("oxfmt"), ...formatted], {
  cwd: root,
  stdio: "inherit",
});
process.exitCode = done.status ?? 1;
