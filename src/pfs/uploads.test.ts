// Goal: bytes that arrived in pieces, by connections that broke anywhere, are the file that one put had made of them,
// and what was acknowledged stays. Method: the same bytes put at once and uploaded with random breaks, compared by
// digest, which covers chunks and block ends; with a new daemon in between, as after a kill.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { randomBelow, seededRandom, type Random } from "../base/random.ts";
import { KiB, MiB } from "../base/size.ts";
import { openMemObjectStore } from "../objectstore/index.ts";
import { openTestMetadata } from "../metadata/testing/open-test-metadata.ts";
import { localPrincipal } from "../model/principal.ts";
import { recordFormatOf } from "../chunking/index.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { commitUploads, putUploads } from "./put-uploads.ts";
import { listed, never, openTestPfs, TestPfs } from "./testing/open-test-pfs.ts";
import { ShiftedClock } from "./testing/shifted-clock.ts";
import { Uploads } from "./uploads.ts";

const id = "an-upload-of-tests";

/** Bytes with records of many lengths: some far longer than a chunk may look for an end. */
function content(path: string, bytes: number, random: Random): Buffer {
  if (path.endsWith(".bin")) return random.bytes(bytes);
  const pieces: Buffer[] = [];
  for (let held = 0; held < bytes;) {
    const length =
      randomBelow(random, 8) === 0 ? randomBelow(random, 3 * MiB) : 1 + randomBelow(random, 400);
    const text = random.bytes(Math.ceil(length / 2)).toString("hex");
    pieces.push(Buffer.from(path.endsWith(".json") ? `{"a":["${text}"]} ` : `${text}\n`));
    held += length;
  }
  return Buffer.concat(pieces).subarray(0, bytes);
}

/** Slices of a buffer from an offset on; fails at `end` when that is before the buffer's. */
async function* sliced(
  bytes: Buffer,
  { from, end, random }: { from: number; end: number; random: Random },
): AsyncGenerator<Uint8Array, void, void> {
  for (let at = from; at < end;) {
    const next = Math.min(end, at + 1 + randomBelow(random, 700 * KiB));
    yield Buffer.from(bytes.subarray(at, next));
    at = next;
    await Promise.resolve();
  }
  if (end < bytes.length) throw new Error("the connection broke");
}

async function digestOf(pfs: TestPfs, branch: string, path: string): Promise<string> {
  return (await pfs.inspect({ repo: "data", id: branch }, path)).digest;
}

test("an upload that breaks anywhere becomes what one put had made (property)", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("lines", "values.json", "bytes.bin"),
      fc.integer({ min: 0, max: 12 * MiB }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 5 }),
      fc.integer(),
      async (path, bytes, breaks, seed) => {
        const random = seededRandom(seed);
        const whole = content(path, bytes, random);
        const clock = new ShiftedClock();
        const shared = { objects: openMemObjectStore(), metadata: openTestMetadata(clock), clock };
        let pfs = new TestPfs(seed, shared);
        await pfs.repo("data");
        const once = { repo: "data", id: await pfs.start("data", "once") };
        await pfs.putAll(once, [{ path, overwrite: false, content: whole }]);
        await pfs.finish(once);
        let uploads = new Uploads(pfs.deps);
        await uploads.begin(localPrincipal, { id, format: recordFormatOf(path) });
        let reached = 0;
        for (const share of [...breaks.toSorted((a, b) => a - b), 1]) {
          const end = share === 1 ? whole.length : Math.floor(share * whole.length);
          const source = sliced(whole, { from: reached, end: Math.max(end, reached), random });
          await uploads
            .append(localPrincipal, { id, offset: reached, last: true, content: source })
            .catch((error: unknown) => {
              assert.equal((error as Error).message, "the connection broke");
            });
          const info = await uploads.inspect(localPrincipal, id);
          assert.ok(info.bytes >= reached && info.bytes <= whole.length);
          reached = info.bytes;
          // Another daemon goes on.
          pfs = new TestPfs(seed + 1, { ...shared, session: `after-${reached}-${share}` });
          uploads = new Uploads(pfs.deps);
        }
        assert.equal(reached, whole.length);
        await commitUploads(pfs.deps, localPrincipal, {
          repo: "data",
          branch: "pieces",
          uploads: [{ id, path }],
          waitMs: 0,
          signal: never,
        });
        assert.equal(await digestOf(pfs, "pieces", path), await digestOf(pfs, "once", path));
        assert.deepEqual(await uploads.list(localPrincipal, { limit: 10 }), { uploads: [] });
      },
    ),
    { numRuns: Number(process.env["MAMMOTH_UPLOAD_RUNS"] ?? 6) },
  );
});

test("uploads are put together, in their order, once; and hold what they have until then", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("data");
  const uploads = new Uploads(pfs.deps);
  const ids = ["files-of-the-first", "bytes-of-the-second", "files-of-the-third"] as const;
  const tar = (
    text: string,
  ): AsyncGenerator<{ path: string; overwrite: boolean; content: Buffer }> =>
    listed(["a", "d/b"].map((path) => ({ path, overwrite: false, content: Buffer.from(text) })));
  await uploads.putFiles(localPrincipal, { id: ids[0], files: tar("1"), signal: never });
  await uploads.begin(localPrincipal, { id: ids[1], format: "line" });
  const two = listed([Buffer.from("2")]);
  await uploads.append(localPrincipal, { id: ids[1], offset: 0, last: true, content: two });
  await uploads.putFiles(localPrincipal, { id: ids[2], files: tar("3"), signal: never });
  // A second time nothing is read.
  await uploads.putFiles(localPrincipal, { id: ids[2], files: tar("lost"), signal: never });
  await collectGarbage(pfs.deps, localPrincipal, { isDryRun: false, signal: never });
  const commit = { repo: "data", id: await pfs.start("data") };
  const placed = [{ id: ids[0] }, { id: ids[1], path: "a" }, { id: ids[2] }];
  const put = { commit, uploads: placed, key: "a key" };
  assert.deepEqual(await putUploads(pfs.deps, localPrincipal, put), { files: 5, bytes: 5 });
  assert.deepEqual(await putUploads(pfs.deps, localPrincipal, put), { files: 5, bytes: 5 });
  await assert.rejects(putUploads(pfs.deps, localPrincipal, { commit, uploads: placed }), {
    code: "not_found",
  });
  await pfs.finish(commit);
  assert.deepEqual(await pfs.files(commit), { a: "123", d: null, "d/b": "13" });
});

test("an upload takes no bytes at another offset, is not put before its end, and is forgotten after a day", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("data");
  const uploads = new Uploads(pfs.deps);
  await uploads.begin(localPrincipal, { id, format: "line" });
  const at = (offset: number): Promise<unknown> =>
    uploads.append(localPrincipal, { id, offset, last: false, content: listed([]) });
  await assert.rejects(at(1), { code: "aborted", details: { upload: id, offset: 0 } });
  await at(0);
  const commit = { repo: "data", id: await pfs.start("data") };
  await assert.rejects(
    putUploads(pfs.deps, localPrincipal, { commit, uploads: [{ id, path: "a" }] }),
    { code: "failed_precondition" },
  );
  await assert.rejects(uploads.begin(localPrincipal, { id: "short", format: "line" }), {
    code: "invalid_argument",
  });
  assert.equal(await pfs.deps.metadata.call("forgetUploads", { limit: 10 }), 0);
  pfs.clock.advance(25 * 3_600_000);
  assert.equal(await pfs.deps.metadata.call("forgetUploads", { limit: 10 }), 1);
  await assert.rejects(uploads.inspect(localPrincipal, id), { code: "not_found" });
});

test("a complete upload takes its end again, and no bytes behind it", async (t) => {
  const uploads = new Uploads(openTestPfs(t).deps);
  await uploads.begin(localPrincipal, { id, format: "line" });
  const at = (offset: number, text: string): Promise<{ bytes: number }> => {
    const content = listed(text === "" ? [] : [Buffer.from(text)]);
    return uploads.append(localPrincipal, { id, offset, last: true, content });
  };
  await at(0, "apple 4\n");
  assert.equal((await at(8, "")).bytes, 8);
  await assert.rejects(at(8, "pear 2\n"), { code: "aborted", details: { upload: id, offset: 8 } });
});
