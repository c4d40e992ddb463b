import { strict as assert } from "node:assert";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openTestDaemon, testFolder } from "./testing/daemon.ts";

/** Runs in every thread; that of the database dies once the file is there. */
function deathAt(file: string): string {
  const program = `
    import { existsSync } from "node:fs";
    import { isMainThread, workerData } from "node:worker_threads";
    if (!isMainThread && typeof workerData?.path === "string") setInterval(() => {
      if (existsSync(${JSON.stringify(file)})) throw new Error("killed by the test");
    }, 20);`;
  return `--import=data:text/javascript,${encodeURIComponent(program)}`;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("a daemon whose database thread dies ends with 1 and says why; the next one goes on", async (t) => {
  const file = join(testFolder(t), "die");
  process.env["NODE_OPTIONS"] = deathAt(file);
  const daemon = await openTestDaemon(t).finally(() => {
    delete process.env["NODE_OPTIONS"];
  });
  await daemon.ok(["create-repo", "data"]);
  const { pid } = daemon;
  writeFileSync(file, "");
  for (let i = 0; i < 130 && isAlive(pid); i++) await sleep(100);
  assert.ok(!isAlive(pid), daemon.log);
  assert.equal(await daemon.stop(), 1);
  assert.match(daemon.log, /killed by the test/);
  assert.match(daemon.log, /pachd: The metadata database's thread has died\./);
  await daemon.start();
  assert.match(await daemon.ok(["list-repo"]), /data/);
});
