import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { it } from "node:test";
import { MiB } from "../../base/size.ts";
import { Cgroups } from "./cgroups.ts";
import type { ProcessFs } from "./process-fs.ts";

const files = [
  "cgroup.procs",
  "pids.max",
  "memory.max",
  "memory.swap.max",
  "memory.events",
  "cpu.max",
];

/** As the kernel does it: a group that is made has its files, and goes with them. */
const kernel = {
  ...fs,
  async mkdir(path: string) {
    await fs.mkdir(path);
    for (const file of files) await fs.writeFile(`${path}/${file}`, "");
    return path;
  },
  rmdir: async (path: string) => await fs.rm(path, { recursive: true }),
} as unknown as ProcessFs;

it("Cgroups makes groups of version 2 beside its own, of what is handed on there", async () => {
  const mount = await fs.mkdtemp(`${tmpdir()}/mammoth-cgroups-`);
  const slice = `${mount}/system.slice`;
  await fs.mkdir(`${slice}/mammoth-x-left`, { recursive: true });
  await fs.writeFile(`${mount}/cgroup.controllers`, "cpu memory pids\n");
  await fs.writeFile(`${slice}/cgroup.subtree_control`, "memory pids\n");
  const place = { mount, own: "0::/system.slice/pachd.service\n" };
  const cgroups = await Cgroups.open(kernel, "x", place);
  assert.deepEqual(
    (["pids", "memory", "cpu"] as const).map((one) => cgroups.has(one)),
    [true, true, false],
  );
  const limits = { processesMax: 7, memoryBytes: 64 * MiB, cpus: 0.5 };
  const group = await cgroups.make("run", limits);
  const read = async (file: string): Promise<string> =>
    await fs.readFile(`${slice}/mammoth-x-run/${file}`, "utf8");
  assert.deepEqual(group?.doors, [`${slice}/mammoth-x-run/cgroup.procs`]);
  assert.deepEqual(
    [await read("pids.max"), await read("memory.max"), await read("memory.swap.max")],
    ["7", String(64 * MiB), "0"],
  );
  await fs.writeFile(`${slice}/mammoth-x-run/memory.events`, "oom 1\noom_kill 2\n");
  assert.equal(await group.outOfMemoryKills(), 2);
  await group.remove();
  assert.deepEqual(await fs.readdir(slice), ["cgroup.subtree_control"]);
  await fs.rm(mount, { recursive: true });
});
