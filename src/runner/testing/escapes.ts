import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { after, before, describe, it } from "node:test";
import { MiB } from "../../base/size.ts";
import type { Runner, RunOutcome, RunSpec } from "../runner.ts";
import type { RunnerUnderTest } from "./conformance.ts";

/** Of the runners that these tests are for: they may have no more at a time. */
export const processesMaxInTests = 200;

const canary = "canary-of-the-daemon";

/**
 * Attempts to get out of a sandbox, as root in it. Each would work for a process of the host; what
 * is looked for is the effect, not the message.
 */
export function testEscapes(under: RunnerUnderTest): void {
  describe(`escapes from ${under.name}`, { skip: under.skip ?? false }, () => {
    let home: string;
    let runner: Runner;
    let victim: ChildProcess;

    before(async () => {
      home = await fs.mkdtemp(`${tmpdir()}/mammoth-escapes-`);
      for (const name of ["in", "out", "daemon/objects", "daemon/work/tasks/7/out"])
        await fs.mkdir(`${home}/${name}`, { recursive: true });
      await fs.chmod(`${home}/out`, 0o777);
      for (const name of ["in/file", "daemon/objects/secret", "daemon/work/tasks/7/out/secret"])
        await fs.writeFile(`${home}/${name}`, `${canary}\n`);
      victim = spawn("sleep", ["1000"], { env: { CANARY: canary }, stdio: "ignore" });
      await once(victim, "spawn");
      runner = await under.open(`${home}/daemon/scratch`);
    });
    after(async () => {
      await runner.close();
      victim.kill("SIGKILL");
      await fs.rm(home, { recursive: true, force: true });
    });

    const sh = async (
      script: string,
      more: Partial<RunSpec> = {},
    ): Promise<{ text: string; outcome: RunOutcome }> => {
      let text = "";
      const spec = {
        id: "escape",
        ...(under.group === undefined ? {} : { group: under.group }),
        image: under.image ?? "",
        cmd: ["sh", "-c", script],
        env: { H: home, VICTIM: String(victim.pid) },
        stdin: Buffer.alloc(0),
        mounts: [
          { name: "data", hostPath: `${home}/in`, writable: false },
          { name: "out", hostPath: `${home}/out`, writable: true },
        ],
        hidden: [`${home}/daemon`],
        ...more,
      };
      const outcome = await runner.run(spec, {
        signal: new AbortController().signal,
        output: (piece) => void (text += Buffer.from(piece).toString()),
      });
      return { text, outcome };
    };

    const readings: Readonly<Record<string, string>> = {
      "the daemon's data": "cat $H/daemon/objects/secret",
      "the output of another task": "cat $H/daemon/work/tasks/7/out/secret",
      "it through the root of the first process": "cat /proc/1/root$H/daemon/objects/secret",
      "it through the directory of the first process":
        "cd /proc/1/cwd && cat ../../../..$H/daemon/objects/secret",
      "it through an open file":
        "for f in /proc/*/fd/*; do cat $f/../../daemon/objects/secret; done",
      "it by leaving a chroot":
        "mkdir -p /tmp/j; chroot /tmp/j sh -c true; cd /; cat ../../..$H/daemon/objects/secret",
      "it from the disk":
        "mkdir /tmp/m; for d in /dev/vd* /dev/sd* /dev/nvme*; do mount $d /tmp/m && cat /tmp/m$H/daemon/objects/secret; done",
      "it by binding it elsewhere":
        "mkdir /tmp/b; mount --bind $H/daemon /tmp/b; unshare -m true && cat /tmp/b/objects/secret",
      "the environment of processes outside": "cat /proc/[0-9]*/environ | grep -a CANARY",
      "the environment by the number of a process": "cat /proc/$VICTIM/environ",
    };
    for (const [what, script] of Object.entries(readings)) {
      it(`cannot read ${what}`, async () => {
        assert.doesNotMatch((await sh(`{ ${script}; } </dev/null`)).text, new RegExp(canary));
      });
    }

    it("cannot make a device that is the disk", async () => {
      const { dev } = await fs.stat("/", { bigint: true });
      const [major, minor] = [(dev >> 8n) & 0xfffn, (dev & 0xffn) | ((dev >> 12n) & 0xfff00n)];
      const { text } = await sh(
        `mknod /tmp/disk b ${major} ${minor} && head -c 4096 /tmp/disk | wc -c; echo end`,
      );
      assert.match(text, /^(?:0\n)?(?:.*\n)*end\n$/);
      assert.doesNotMatch(text, /^4096$/m);
    });
    it("cannot kill or trace processes outside", async () => {
      const { text } = await sh(
        `kill -9 $VICTIM && echo KILLED; cat /proc/$VICTIM/mem && echo READ; echo end`,
      );
      assert.doesNotMatch(text, /KILLED|READ/);
      assert.equal(victim.exitCode ?? victim.signalCode, null);
    });
    for (const file of [
      "/proc/sysrq-trigger",
      "/proc/sys/kernel/core_pattern",
      "/proc/sys/vm/drop_caches",
      "/proc/irq/default_smp_affinity",
      "/sys/kernel/uevent_helper",
      "/sys/fs/cgroup/cgroup.procs",
      "/sys/fs/cgroup/pids/cgroup.procs",
    ]) {
      it(`cannot write to ${file}`, async () => {
        // Should it work after all: what is written does no harm.
        const { text } = await sh(`[ -e ${file} ] || exit 0; (echo h >${file}) && echo WRITTEN`);
        assert.doesNotMatch(text, /WRITTEN/);
      });
    }
    it("cannot change an input, by a hard link or by mounting anew", async () => {
      const { text } = await sh(
        `ln /pfs/data/file /pfs/out/link && echo x > /pfs/out/link; mount -o remount,rw /pfs/data;
         umount /pfs/data; chmod 666 /pfs/data/file; chown 1 /pfs/data/file; echo x > /pfs/data/file; echo end`,
      );
      assert.match(text, /end\n$/);
      assert.equal(await fs.readFile(`${home}/in/file`, "utf8"), `${canary}\n`);
      assert.equal((await fs.stat(`${home}/in/file`)).mode & 0o777, 0o644);
    });
    it("is bounded in its processes, and leaves none", async () => {
      const loop = "n=0; while [ $n -lt 1000 ]; do sleep 60 & n=$((n+1)); done; echo MADE";
      const { text } = await sh(loop);
      assert.doesNotMatch(text, /MADE/);
      assert.match(text, /fork|temporarily unavailable/i);
      assert.equal((await sh("echo fine")).text, "fine\n");
    });
    it("is killed when it needs more memory than it may, which is told apart", async () => {
      const limits = { memoryBytes: 64 * MiB };
      const { outcome } = await sh("head -c 300000000 /dev/zero | tail -n 1", { limits });
      assert.deepEqual(outcome, { kind: "out_of_memory" });
      assert.deepEqual((await sh("exit 137", { limits })).outcome, {
        kind: "exited",
        exitCode: 137,
      });
    });
    it("has no network when it is not to have one", async () => {
      const { text } = await sh("cat /proc/net/dev | wc -l; ls /sys/class/net", {
        network: "none",
      });
      assert.match(text, /^3\n/, text);
    });
    it("is another user when it is to be one", async () => {
      const asUser = { user: "1234:1234", workingDir: "/tmp" };
      const { text } = await sh("id -u; id -g; pwd; echo x >/pfs/out/mine; kill -9 1", asUser);
      assert.match(text, /^1234\n1234\n\/tmp\n/);
      assert.equal((await fs.stat(`${home}/out/mine`)).uid, 1234);
    });
    it("shows a command nothing of the one before", async () => {
      const left = "echo x > /tmp/.left; mkdir -p /tmp/d; echo x > /dev/shm/left; sleep 60 & true";
      await sh(left);
      const { text } = await sh("ls -A /tmp /dev/shm; cat /proc/[0-9]*/comm | grep -c sleep");
      assert.equal(text, "/dev/shm:\n\n/tmp:\n0\n");
    });
  });
}
