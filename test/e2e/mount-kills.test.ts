// Goal: a daemon that is killed, again and again, costs programs on a mount nothing but time.
// Method: programs create and append without end while pachd is killed and started anew; every byte that close or
// fsync acknowledged is there at the end, and once only.
import { strict as assert } from "node:assert";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openTestDaemon, run } from "./testing/daemon.ts";
import { openTestMount, whyNoMount } from "./testing/mounted.ts";
import { stuckThreads } from "./testing/processes.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

const rounds = Number(process.env["MAMMOTH_MOUNT_KILLS"] ?? 2);
const writers = 4;

test(
  `nothing acknowledged is lost or doubled and nothing hangs when pachd is killed ${rounds} times`,
  { skip: whyNoMount() ?? false, timeout: 120_000 + rounds * 20_000 },
  async (t) => {
    const daemon = await openTestDaemon(t);
    await daemon.ok(["create-repo", "data"]);
    await daemon.ok(["start-commit", "data", "master"]);
    const mount = await openTestMount(t, daemon, ["data"]);
    const at = (name: string): string => join(mount.point, "master-0", name);
    const expected = new Map<string, Buffer>();
    /** Those that were not looked at since. */
    const unchecked = new Set<string>();
    const stopped = new AbortController();
    const writing = Array.from({ length: writers }, async (_, writer) => {
      const grown = `grown-${writer}`;
      expected.set(grown, Buffer.alloc(0));
      for (let index = 0; !stopped.signal.aborted; index++) {
        const name = `new-${writer}-${index}`;
        const bytes = seededBytes(name, (index * 977) % 80_000);
        await fs.writeFile(at(name), bytes);
        expected.set(name, bytes);
        unchecked.add(name);
        await fs.appendFile(at(grown), `${name}\n`);
        expected.set(grown, Buffer.concat([expected.get(grown)!, Buffer.from(`${name}\n`)]));
      }
    });
    // Thrown when they are waited for.
    for (const one of writing) one.catch(() => undefined);
    let slowestMs = 0;
    for (let round = 0; round < rounds; round++) {
      await sleep(150 + ((round * 67) % 400));
      await daemon.stop("SIGKILL");
      await sleep((round * 31) % 300);
      await daemon.start();
      const startedMs = performance.now();
      // As a program of its own: threads of this process wait with those who write.
      assert.equal((await run("stat", [mount.point])).code, 0);
      const statMs = performance.now() - startedMs;
      assert.ok(statMs < 2_000, `stat returns, after ${Math.round(statMs)} ms in round ${round}`);
      await fs.stat(at(""));
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
      const written = [...unchecked];
      unchecked.clear();
      for (const name of written)
        assert.ok((await fs.readFile(at(name))).equals(expected.get(name)!), `${name}, ${round}`);
      for (let writer = 0; writer < writers; writer++) {
        const before = expected.get(`grown-${writer}`)!;
        const now = await fs.readFile(at(`grown-${writer}`));
        assert.ok(now.subarray(0, before.length).equals(before), `grown-${writer}, ${round}`);
      }
    }
    t.diagnostic(`stat returned within ${Math.round(slowestMs)} ms; ${expected.size} files`);
    stopped.abort();
    await Promise.all(writing);
    assert.ok(expected.size > rounds, `${expected.size} files`);
    for (const [name, bytes] of expected)
      assert.ok((await fs.readFile(at(name))).equals(bytes), `${name}\n${mount.log}`);
    assert.deepEqual(await stuckThreads([mount.pid, process.pid]), []);
    assert.equal(mount.log, "");
    await daemon.ok(["unmount", mount.point]);
    await daemon.ok(["finish-commit", "data", "master/0"]);
    const { length } = await fs.readdir((await openTestMount(t, daemon, ["data/master/0"])).point);
    assert.equal(length, expected.size);
  },
);
