// Goal: the store's folder alone brings back repos, commits, files and pipelines, under the same names.
// Method: a real daemon with a pipeline; its metadata is deleted under it; pachd recover; all compared.
import { strict as assert } from "node:assert";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { MiB } from "../../src/base/size.ts";
import { jsonLines, openTestDaemon, run, type TestDaemon } from "./testing/daemon.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

const pachd = fileURLToPath(new URL("../../bin/pachd", import.meta.url));

test("pachd recover brings back what a deleted database knew, and pipelines go on", async (t) => {
  const daemon = await openTestDaemon(t, ["--log-level", "warn"]);
  const large = seededBytes("recover", 2 * MiB);
  await daemon.ok(["create-repo", "data"]);
  const spec = {
    pipeline: { name: "count" },
    transform: { cmd: ["sh"], stdin: ["cat /pfs/data/log | wc -l > /pfs/out/lines"] },
    inputs: [{ repo: { name: "data" } }],
  };
  await daemon.ok(["create-pipeline"], { stdin: JSON.stringify(spec) });
  await daemon.ok(["put-file", "data", "master", "log", "-c"], { stdin: "one\n" });
  await daemon.ok(["put-file", "data", "master", "large", "-c"], { stdin: large });
  await daemon.ok(["flush-commit", "data/master/1"]);
  await journaled(daemon);
  const before = await visible(daemon);
  await daemon.stop("SIGKILL");
  for (const folder of ["metadata", "cache"])
    rmSync(join(daemon.root, folder), { recursive: true });

  // A daemon that is started again by itself must not take all packs for garbage.
  await assert.rejects(
    daemon.start(),
    /Cannot start with a new database: the object store belongs/,
  );
  const recovered = await run(pachd, ["recover", "--root", daemon.root]);
  assert.equal(recovered.code, 0, recovered.stderr);
  assert.match(recovered.stdout, /^recovered 2 repos, 4 commits and 1 pipelines, /);
  const again = await run(pachd, ["recover", "--root", daemon.root]);
  assert.deepEqual([again.code, again.stdout], [1, ""]);
  assert.match(again.stderr, /^pachd: Cannot recover: the database holds repos or data already/);

  await daemon.start();
  assert.deepEqual(await visible(daemon), before);
  assert.match(await daemon.ok(["fsck", "--read-data"]), /nothing is wrong\n$/);
  await daemon.ok(["put-file", "data", "master", "log", "-c"], { stdin: "two\n" });
  const flushed = await daemon.ok(["flush-commit", "data/master/2", "--raw"]);
  const output = jsonLines<{ repo: string; id: string }>(flushed).find(
    ({ repo }) => repo === "count",
  );
  assert.equal(await daemon.ok(["get-file", "count", output!.id, "lines"]), "2\n");
  assert.equal(
    jsonLines(await daemon.ok(["list-job", "--raw"])).length,
    1,
    "old commits run no job",
  );
});

/** Waits until the object store knows everything. */
async function journaled(daemon: TestDaemon): Promise<void> {
  // Has all that is small packed at once, instead of within a minute.
  await daemon.ok(["garbage-collect"]);
  for (;;) {
    const summary = jsonLines<{ unjournaled: number }>(await daemon.ok(["fsck", "--raw"])).at(-1)!;
    if (summary.unjournaled === 0) return;
    await sleep(500);
  }
}

async function visible(daemon: TestDaemon): Promise<unknown> {
  const lists = [
    ["list-repo"],
    ["list-commit", "data"],
    ["list-commit", "count"],
    ["list-pipeline"],
  ];
  const texts: string[] = [];
  for (const list of lists) texts.push(await daemon.ok([...list, "--raw"]));
  texts.push(await daemon.ok(["get-file", "data", "master/1", "log"]));
  return texts;
}
