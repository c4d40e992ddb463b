import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { test } from "node:test";
import { MiB } from "../base/size.ts";
import { fakePachd } from "../client/testing/fake-pachd.ts";
import { progressText } from "./progress.ts";
import { run } from "./testing/run.ts";

test("progressText() shows files, bytes, rate and time left", () => {
  const done = { files: 3, bytes: 2 * MiB };
  assert.equal(
    progressText(done, { files: 12, bytes: 8 * MiB }, 2_000),
    "[#####               ] 25 %  3 of 12 files  2 MiB of 8 MiB  1 MiB/s  6 s left",
  );
  assert.match(progressText(done, { files: 4, bytes: 800 * MiB }, 2_000), /13 min 18 s left$/);
  assert.match(progressText(done, { files: 4, bytes: 8_000 * MiB }, 2_000), /2 h 13 min left$/);
  assert.equal(progressText(done, undefined, 2_000), "3 files  2 MiB  1 MiB/s");
  assert.match(progressText({ files: 0, bytes: 0 }, { files: 1, bytes: 1 }, 0), /^\[ +\] 0 % /);
});

/** A terminal, and a clock on which every look is a second later. */
function terminal(columns: number | undefined): {
  shown: () => string;
  options: Parameters<typeof run>[1];
} {
  let text = "";
  let ms = 0;
  const stderr = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  const clock = {
    nowMicros: () => 0,
    monotonicMs: () => (ms += 1_000),
    sleep: () => Promise.resolve(),
  };
  return { shown: () => text, options: { stderr, errorColumns: columns, clock } };
}

test("get-file shows its progress on a terminal, cut to its width, and takes it away", async () => {
  await using server = await fakePachd({
    "GET /repos/data/commits/master/files/a": { raw: Buffer.alloc(3 * MiB, "x") },
    "GET /repos/data/commits/master/info/a": { json: { sizeBytes: 3 * MiB } },
  });
  const argv = ["get-file", "data", "master", "a"];
  const { shown, options } = terminal(40);
  assert.equal((await run(argv, { ...options, address: server.address })).exit, 0);
  const lines = shown().split("\r\u001b[K");
  assert.match(lines[1] ?? "", /^\[[# ]{20}\] \d+ %/);
  assert.ok(lines.every((line) => line.length < 40));
  assert.equal(lines.at(-1), "");
  const elsewhere = terminal(undefined);
  await run(argv, { ...elsewhere.options, address: server.address });
  assert.equal(elsewhere.shown(), "");
});

test("put-file counts the files of a directory, and shows the whole once it is known", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "mammoth-progress-"));
  t.after(async () => {
    await rm(folder, { recursive: true });
  });
  for (const name of ["a", "b", "c"]) await writeFile(join(folder, name), Buffer.alloc(MiB));
  await using server = await fakePachd({ "POST /repos/data/branches/master/tar": { json: {} } });
  const { shown, options } = terminal(200);
  const argv = ["put-file", "data", "master", "d", "-c", "-r", "-f", folder];
  assert.equal((await run(argv, { ...options, address: server.address })).exit, 0);
  assert.match(shown(), /\] 100 % {2}3 of 3 files {2}3 MiB of 3 MiB {2}\S+ \w+\/s {2}0 s left/);
  assert.ok(shown().endsWith("\r\u001b[K"));
});
