import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { root } from "./checkout.ts";
import { completeLock, type Lock } from "./lock/complete-lock.ts";

// npm run lock: brings package-lock.json in line with package.json. A registry that carries only this
// platform's binaries leaves the others out of the lock, and then `npm ci` refuses it everywhere.

const locked = spawnSync("npm", ["install", "--package-lock-only", "--no-audit", "--no-fund"], {
  cwd: root,
  stdio: "inherit",
});
if (locked.status === 0) {
  const path = `${root}/package-lock.json`;
  const lock = completeLock(JSON.parse(readFileSync(path, "utf8")) as Lock);
  writeFileSync(path, `${JSON.stringify(lock, undefined, 2)}\n`);
}
process.exitCode = locked.status ?? 1;
