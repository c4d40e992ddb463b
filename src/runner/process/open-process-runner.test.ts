import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { systemRandom } from "../../base/random.ts";
import { portServer, testRunner } from "../testing/conformance.ts";
import { processesMaxInTests, testEscapes } from "../testing/escapes.ts";
import { openProcessRunner } from "./open-process-runner.ts";
import { probeNamespaces } from "./probe.ts";
import type { Runner } from "../runner.ts";

const probe = await probeNamespaces();
const skip = probe.works ? undefined : probe.reason;
const asRoot = process.geteuid?.() === 0;

const open = async (scratch: string, mode: "namespaces" | "bare"): Promise<Runner> =>
  await openProcessRunner({
    fs,
    random: systemRandom,
    clock: systemClock(),
    scratch,
    log: silentLog,
    mode,
    processesMax: processesMaxInTests,
  });

testRunner({
  name: "process (namespaces)",
  open: async (scratch) => await open(scratch, "namespaces"),
  isolated: true,
  server: { program: portServer },
  skip,
});
testEscapes({
  name: "process (namespaces)",
  open: async (scratch) => await open(scratch, "namespaces"),
  isolated: true,
  skip: skip ?? (asRoot ? undefined : "needs root to become another user"),
});
testRunner({
  name: "process (warm)",
  open: async (scratch) => await open(scratch, "namespaces"),
  isolated: true,
  group: "conformance",
  server: { program: portServer },
  skip,
});
testEscapes({
  name: "process (warm)",
  open: async (scratch) => await open(scratch, "namespaces"),
  isolated: true,
  group: "escapes",
  skip: skip ?? (asRoot ? undefined : "needs root to become another user"),
});
testRunner({
  name: "process (bare)",
  open: async (scratch) => await open(scratch, "bare"),
  isolated: false,
  server: { program: portServer },
  skip: asRoot ? undefined : "needs root to make /pfs",
});

describe("sandbox", { skip: skip ?? false }, () => {
  let home: string;
  let runner: Runner;
  before(async () => {
    home = await fs.mkdtemp(`${tmpdir()}/mammoth sandbox-`);
    await fs.mkdir(`${home}/in`);
    await fs.writeFile(`${home}/in/file`, "kept\n");
    runner = await open(`${home}/scratch`, "namespaces");
  });
  after(async () => {
    await runner.close();
    await fs.rm(home, { recursive: true, force: true });
  });
  const sh = async (script: string, env: Record<string, string> = {}): Promise<string> => {
    let text = "";
    const mounts = [{ name: "in", hostPath: `${home}/in`, writable: false }];
    const spec = {
      id: "escape",
      image: "",
      cmd: ["sh", "-c", script],
      env,
      stdin: Buffer.alloc(0),
      mounts,
      hidden: [],
    };
    const outcome = await runner.run(spec, {
      signal: new AbortController().signal,
      output: (piece) => void (text += Buffer.from(piece).toString()),
    });
    return `${text}${JSON.stringify(outcome)}`;
  };

  const repository = process.cwd();
  for (const place of [
    "/",
    "/usr",
    "/etc",
    "/home",
    "/root",
    "/var/tmp",
    "/dev",
    "/sys",
    "/run",
    repository,
    "/pfs",
    "/pfs/in",
  ]) {
    it(`refuses writing to ${place}`, async () => {
      assert.match(
        await sh(`touch '${place}/escaped' && echo WRITTEN`),
        // A checkout below /tmp is not even there.
        /^touch: .*(Read-only|Permission denied|No such file)[^]*"exitCode":1/,
      );
    });
  }
  const attempts = {
    "remounting an input": "mount -o remount,rw /pfs/in",
    "remounting the host": "mount -o remount,rw,bind /usr",
    "unmounting an input": "umount -l /pfs/in",
    "mounting over it": "mount -t tmpfs tmpfs /pfs/in",
    "making a device": "mknod /tmp/disk b 254 0",
    "leaving the root": "chroot /proc/1/root true",
    "new namespaces": "unshare -Urm true",
    "entering the init's namespaces": "nsenter -t 1 -m true",
    "a kernel setting": "echo x > /proc/sys/kernel/core_pattern",
    "chmod of an input": "chmod 777 /pfs/in/file",
  };
  for (const [what, script] of Object.entries(attempts)) {
    it(`refuses ${what}`, async () => {
      assert.doesNotMatch(await sh(`${script} 2>&1 && echo DONE`), /DONE/);
    });
  }
  it("covers the disks of the host", async () => {
    assert.match(await sh("for f in /dev/*; do [ ! -b $f ] || echo $f; done; echo 0"), /^0\n/);
  });
  it("keeps the spec's variables from our own tools", async () => {
    assert.match(await sh("echo ran", { LD_PRELOAD: "/no/such.so", PATH: "/usr/bin:/bin" }), /ran/);
  });
  it("removes all it made for a run, read-only directories too", async () => {
    await sh("mkdir -p /tmp/a/b; touch /tmp/a/b/c; chmod 500 /tmp/a/b /tmp/a");
    assert.deepEqual(await fs.readdir(`${home}/scratch/runs`), []);
  });
  for (const group of [undefined, "warm"])
    it(`dies with a daemon that was killed, ${group ?? "alone"}`, async () => {
      const tick = `${home}/tick-${group}`;
      await fs.mkdir(tick);
      const script = `
      import * as fs from "node:fs/promises";
      const { openProcessRunner } = await import(${JSON.stringify(new URL("./open-process-runner.ts", import.meta.url).href)});
      const { systemRandom } = await import(${JSON.stringify(new URL("../../base/random.ts", import.meta.url).href)});
      const { systemClock } = await import(${JSON.stringify(new URL("../../base/clock.ts", import.meta.url).href)});
      const { silentLog } = await import(${JSON.stringify(new URL("../../base/log.ts", import.meta.url).href)});
      const runner = await openProcessRunner({ fs, clock: systemClock(), random: systemRandom, scratch: ${JSON.stringify(`${home}/other`)}, log: silentLog, mode: "namespaces" });
      const mounts = [{ name: "out", hostPath: ${JSON.stringify(tick)}, writable: true }];
      const loop = "echo up; (setsid sh -c 'while :; do date +%N > /pfs/out/tick; done' &); sleep 60";
      await runner.run({ id: "x", group: ${JSON.stringify(group)}, image: "", cmd: ["sh", "-c", loop], env: {}, stdin: Buffer.alloc(0), mounts, hidden: [] },
        { signal: new AbortController().signal, output: () => { process.stdout.write("up\\n") } });`;
      const daemon = spawn(process.execPath, ["--input-type=module", "-e", script], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await once(daemon.stdout, "data");
      assert.equal(await running(`${home}/other`), true);
      daemon.kill("SIGKILL");
      await once(daemon, "exit");
      for (let i = 0; i < 200 && (await running(`${home}/other`)); i++)
        await new Promise(setImmediate);
      assert.equal(await running(`${home}/other`), false);
    });
});

describe(
  "forbidden namespaces",
  { skip: asRoot ? false : "needs root to give up what namespaces need" },
  () => {
    it("probeNamespaces() says what would help when the machine forbids namespaces", async () => {
      const script = `
      const { probeNamespaces } = await import(${JSON.stringify(new URL("./probe.ts", import.meta.url).href)});
      console.log(JSON.stringify(await probeNamespaces()));`;
      const node = [process.execPath, "--input-type=module", "-e", script];
      const { stdout } = await promisify(execFile)("setpriv", [
        "--bounding-set=-sys_admin",
        ...node,
      ]);
      const answer = JSON.parse(stdout) as { works: boolean; reason: string };
      assert.equal(answer.works, false);
      assert.match(
        answer.reason,
        /^unshare: .*not permitted\. Allow user namespaces .* --no-sandbox as root$/,
      );
    });
  },
);

/** True while a process has the directory mounted. */
async function running(directory: string): Promise<boolean> {
  // Without what is before: a mount's root is a path within its file system.
  const escaped = directory.split("/").slice(-2).join("/").replaceAll(" ", "\\040");
  const { stdout } = await promisify(execFile)(
    "sh",
    ["-c", "cat /proc/[0-9]*/mountinfo 2>/dev/null; true"],
    { maxBuffer: 1e9 },
  );
  return stdout.includes(escaped);
}
