import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fileSystem from "node:fs/promises";
import { test } from "node:test";
import { isRunning, ownerOf } from "./owner.ts";

test("isRunning() knows a process by its number and its start, and a dead one nobody waited for", async (t) => {
  const self = await ownerOf(fileSystem, "self");
  assert.ok(self !== undefined && self.startsWith(`${process.pid} `));
  assert.ok(await isRunning(fileSystem, self));
  assert.ok(!(await isRunning(fileSystem, `${self}1`)), "the number was used again");
  for (const owner of ["", "x 1", "0 1"]) assert.ok(!(await isRunning(fileSystem, owner)), owner);
  // Its child tells its own number and ends; what waits for children is replaced meanwhile.
  const parent = spawn("sh", ["-c", "sh -c 'echo $$; sleep 0.3' & exec sleep 60"]);
  t.after(() => parent.kill("SIGKILL"));
  const [said] = (await once(parent.stdout, "data")) as [Buffer];
  const child = await ownerOf(fileSystem, said.toString().trim());
  assert.ok(child !== undefined && (await isRunning(fileSystem, child)));
  while (await isRunning(fileSystem, child)) await new Promise((next) => setTimeout(next, 20));
  const status = await fileSystem.readFile(`/proc/${child.split(" ")[0]}/status`, "utf8");
  assert.match(status, /^State:\s+Z/m);
});
