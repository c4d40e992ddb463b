// Goal: a daemon, a worker and a word count live in 512 MB together, without swap.
// Method: all of them in one control group of the kernel, the commands included. It takes a minute on a quiet machine, so only
// with MAMMOTH_LARGE=1; MAMMOTH_GROUP_MIB sets another bound. What the group had at most, and each process, is printed.
import { strict as assert } from "node:assert";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { run, TestDaemon, testFolder } from "./testing/daemon.ts";
import { TestWorker } from "./testing/worker.ts";

const bin = fileURLToPath(new URL("../../bin/", import.meta.url));
const boundBytes = Number(process.env["MAMMOTH_GROUP_MIB"] ?? 512) * 2 ** 20;
const textBytes = 200e6;

const isVersion2 = existsSync("/sys/fs/cgroup/cgroup.controllers");
const group = `/sys/fs/cgroup/${isVersion2 ? "" : "memory/"}mammoth-word-count`;
const files = isVersion2
  ? { bound: "memory.max", swap: "memory.swap.max", peak: "memory.peak" }
  : {
      bound: "memory.limit_in_bytes",
      swap: "memory.memsw.limit_in_bytes",
      peak: "memory.max_usage_in_bytes",
    };

function whyNot(): string | false {
  try {
    mkdirSync(group);
    writeFileSync(`${group}/${files.bound}`, `${boundBytes}`);
    if (existsSync(`${group}/${files.swap}`))
      writeFileSync(`${group}/${files.swap}`, isVersion2 ? "0" : `${boundBytes}`);
    return false;
  } catch (error) {
    return `no control group can be made here: ${String(error)}`;
  }
}

if (process.env["MAMMOTH_LARGE"] === "1")
  test(
    "daemon, worker and word count fit into 512 MB",
    { skip: whyNot(), timeout: 1_800_000 },
    fitsIntoGroup,
  );

async function fitsIntoGroup(t: TestContext): Promise<void> {
  const stops: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    for (const stop of stops.toReversed()) await stop();
    await removeGroup();
  });
  const folder = testFolder(t);
  const inGroup = join(folder, "in-group");
  const enter = `#!/bin/sh\necho 0 >${group}/cgroup.procs && exec ${bin}pachd "$@"\n`;
  writeFileSync(inGroup, enter, { mode: 0o755 });
  const quiet = ["--log-level", "warn"];
  const daemon = new TestDaemon(join(folder, "root"), ["--slots", "0", ...quiet], inGroup);
  stops.push(async () => await daemon.stop("SIGKILL"));
  await daemon.start();
  const args = ["--address", daemon.address, ...quiet];
  const worker = new TestWorker(join(folder, "worker"), args, inGroup);
  stops.push(async () => await worker.stop("SIGKILL"));
  await worker.start();
  const shell = async (script: string): Promise<string> => {
    const env = { ADDRESS: daemon.address, PACHCTL: `${bin}pachctl`, LC_ALL: "C" };
    const { code, stdout, stderr } = await run("sh", ["-c", script], { cwd: folder, env });
    assert.equal(code, 0, `${stderr}\n${daemon.log}\n${worker.log}`);
    return stdout;
  };
  const words = `awk 'BEGIN { srand(1); while (n < ${textBytes}) { w = int(exp(rand() * 11)) * 7919 % 99991; n += length(w) + 1; printf "%d%s", w, ++i % 12 ? " " : "\\n" } print "" }'`;
  await shell(
    `"$PACHCTL" create-repo texts; ${words} >text; <text "$PACHCTL" put-file -c texts master text`,
  );
  const idle = [daemon, worker].map(({ pid }) => memoryOf(pid, "VmRSS"));
  await shell(
    `"$PACHCTL" mapreduce --input texts/master/text --output counts --mapper "tr -s ' ' '\\n'" --reducer 'uniq -c'
    "$PACHCTL" get-file counts master part-00000 >ours; tr -s ' ' '\\n' <text | sort | uniq -c | cmp - ours`,
  );
  const peaks = [daemon, worker].map(({ pid }) => memoryOf(pid, "VmHWM"));
  const all = Number(readFileSync(`${group}/${files.peak}`, "utf8"));
  const MB = (bytes: number | undefined): string => `${Math.round((bytes ?? 0) / 1e6)} MB`;
  t.diagnostic(`group, with the page cache: ${MB(all)} of ${MB(boundBytes)}`);
  t.diagnostic(`daemon: ${MB(peaks[0])} at most, ${MB(idle[0])} before`);
  t.diagnostic(`worker: ${MB(peaks[1])} at most, ${MB(idle[1])} before`);
  assert.ok(all <= boundBytes);
}

/** Whoever was in it may take a moment to be gone. */
async function removeGroup(): Promise<void> {
  for (let tries = 0; existsSync(group); tries++) {
    try {
      rmdirSync(group);
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function memoryOf(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) * 1_024;
}
