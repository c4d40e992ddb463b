// Goal: a block that was put is there, byte for byte, until it is deleted, whatever else happens to the store.
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { silentLog } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";
import { MiB } from "../base/size.ts";
import type { RecordFormat } from "../chunking/index.ts";
import type { Finding } from "../model/finding.ts";
import { localPrincipal } from "../model/principal.ts";
import { openMemObjectStore } from "../objectstore/index.ts";
import { recoverMetadata } from "../storage/index.ts";
import { InstantClock } from "../storage/testing/garbage-bed.ts";
import { openTestMetadata } from "../metadata/testing/open-test-metadata.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { Blocks } from "./blocks.ts";
import { deleteAllRepos, deleteRepo } from "./repos.ts";
import { listed, never, openTestPfs, TestPfs } from "./testing/open-test-pfs.ts";
import { verifyStore } from "./verify-store.ts";

/** Puts a stream that comes in these parts; gives back the blocks. */
async function put(
  pfs: TestPfs,
  parts: readonly (Buffer | string)[],
  format: RecordFormat = "line",
): Promise<{ id: string; bytes: number }[]> {
  const content = listed(parts.map((part) => Buffer.from(part)));
  return await new Blocks(pfs.deps).put(localPrincipal, { content, format, signal: never });
}

async function get(pfs: TestPfs, id: string, start = 0, end = Infinity): Promise<Buffer> {
  const block = await new Blocks(pfs.deps).open(localPrincipal, id);
  const range = { start: Math.min(start, block.bytes), end: Math.min(end, block.bytes) };
  const parts: Buffer[] = [];
  for await (const part of block.read(range, never)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

const remove = async (pfs: TestPfs, id: string): Promise<void> => {
  await new Blocks(pfs.deps).delete(localPrincipal, id);
};

/** What a block of these bytes is called. */
function nameOf(bytes: Buffer | string): string {
  return createHash("sha512")
    .update(bytes)
    .digest("base64")
    .replaceAll("+", "-")
    .replaceAll("/", "_");
}

test("Blocks.put() names a block by the SHA-512 of its bytes", async (t) => {
  const pfs = openTestPfs(t);
  for (const text of ["", "a", "one\ntwo\n", "\0".repeat(100_000)]) {
    assert.deepEqual(await put(pfs, [text]), [{ id: nameOf(text), bytes: text.length }]);
    assert.equal((await get(pfs, nameOf(text))).toString(), text);
  }
  assert.deepEqual(await put(pfs, []), [{ id: nameOf(""), bytes: 0 }]);
});

const lines = Buffer.from("0123456789abcde\n".repeat(MiB));
const cases: { format: RecordFormat; stream: Buffer; sizes: number[] }[] = [
  {
    format: "line",
    stream: Buffer.concat([Buffer.from("first\n"), lines]),
    sizes: [8 * MiB + 6, 8 * MiB],
  },
  {
    format: "line",
    stream: Buffer.concat([lines, Buffer.from("rest")]),
    sizes: [8 * MiB, 8 * MiB, 4],
  },
  {
    format: "json",
    stream: Buffer.from(`"${"x".repeat(8 * MiB)}"\n {"a":1} 2`),
    sizes: [8 * MiB + 2, 11],
  },
  { format: "json", stream: Buffer.from(`no json ${"x ".repeat(5 * MiB)}`), sizes: [10 * MiB + 8] },
  { format: "binary", stream: lines, sizes: [16 * MiB] },
];
for (const { format, stream, sizes } of cases)
  test(`Blocks.put() divides ${stream.length} bytes as ${format} into ${sizes.join(" and ")}`, async (t) => {
    const pfs = openTestPfs(t);
    const cut = 5 * MiB + 3;
    const blocks = await put(pfs, [stream.subarray(0, cut), stream.subarray(cut)], format);
    assert.deepEqual(
      blocks.map(({ bytes }) => bytes),
      sizes,
    );
    let start = 0;
    for (const { id, bytes } of blocks) {
      const expected = stream.subarray(start, (start += bytes));
      assert.equal(id, nameOf(expected));
      assert.ok((await get(pfs, id)).equals(expected));
      assert.ok((await get(pfs, id, 1, 100)).equals(expected.subarray(1, 100)));
    }
  });

test("Blocks.open() reads ranges, also beyond the end, and tells size and time", async (t) => {
  const pfs = openTestPfs(t);
  const before = pfs.clock.nowMicros();
  const [{ id } = { id: "" }] = await put(pfs, ["0123456789"]);
  assert.equal((await get(pfs, id, 3, 5)).toString(), "34");
  assert.equal((await get(pfs, id, 10)).toString(), "");
  const { bytes, createdMicros } = await new Blocks(pfs.deps).open(localPrincipal, id);
  assert.equal(bytes, 10);
  assert.ok(createdMicros > before);
  await put(pfs, ["0123456789"]);
  assert.equal((await new Blocks(pfs.deps).open(localPrincipal, id)).createdMicros, createdMicros);
});

test("Blocks.open() and delete() say which block is not there", async (t) => {
  const pfs = openTestPfs(t);
  for (const id of [nameOf("x"), "nope", "a\0b", `${nameOf("x")}\n`])
    for (const method of ["open", "delete"] as const)
      await assert.rejects(new Blocks(pfs.deps)[method](localPrincipal, id), {
        code: "not_found",
        details: { block: id, classic: `block ${id} not found` },
      });
  await assert.rejects(new Blocks(pfs.deps).open(localPrincipal, ""), { code: "invalid_argument" });
});

test("Blocks.put() leaves nothing of a stream that breaks off", async (t) => {
  const pfs = openTestPfs(t);
  const content = (async function* () {
    yield lines;
    throw new Error("the client is gone");
  })();
  const putting = new Blocks(pfs.deps).put(localPrincipal, {
    content,
    format: "line",
    signal: never,
  });
  await assert.rejects(putting, /the client is gone/);
  const first = nameOf(lines.subarray(0, 8 * MiB));
  await assert.rejects(get(pfs, first), { code: "not_found" });
});

/** Garbage collection, an hour later. */
async function collect(clock: InstantClock, pfs: TestPfs): Promise<void> {
  clock.pass(3_600_000);
  await pfs.deps.storage.renewSession({ address: "", release: "" });
  await collectGarbage(pfs.deps, localPrincipal, { isDryRun: false, signal: never });
}

async function packsOf(objects: ReturnType<typeof openMemObjectStore>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of objects.list("packs/", {})) keys.push(key);
  return keys;
}

test("garbage collection keeps a block until it is deleted, whatever becomes of repos", async (t) => {
  const clock = new InstantClock();
  const objects = openMemObjectStore();
  const pfs = new TestPfs(1, { clock, objects, metadata: openTestMetadata(clock) });
  t.after(async () => await pfs.close());
  await pfs.deps.storage.renewSession({ address: "", release: "" });
  await pfs.repo("r");
  const texts = ["in the repo too\n", `${"long ".repeat(100_000)}\n`, lines.toString()];
  await pfs.commit("r", { f: texts[0]!, g: texts[1]! });
  for (const text of texts) await put(pfs, [text], "binary");
  await deleteRepo(pfs.deps, localPrincipal, { name: "r", force: false });
  for (let run = 0; run < 2; run++) await collect(clock, pfs);
  for (const text of texts) assert.equal((await get(pfs, nameOf(text))).toString(), text);
  await remove(pfs, nameOf(texts[1]!));
  await assert.rejects(get(pfs, nameOf(texts[1]!)), { code: "not_found" });
  for (let run = 0; run < 2; run++) await collect(clock, pfs);
  for (const at of [0, 2]) assert.equal((await get(pfs, nameOf(texts[at]!))).toString(), texts[at]);
  await deleteAllRepos(pfs.deps, localPrincipal);
  await assert.rejects(get(pfs, nameOf(texts[0]!)), { code: "not_found" });
  for (let run = 0; run < 2; run++) await collect(clock, pfs);
  assert.deepEqual(await packsOf(objects), []);
});

test("fsck names a block whose bytes are lost; the same bytes put again make it whole", async (t) => {
  const objects = openMemObjectStore();
  const pfs = new TestPfs(1, { objects });
  t.after(async () => await pfs.close());
  const text = "kept\n";
  await put(pfs, [text]);
  await pfs.deps.storage.drainInline(never, { force: true });
  const fsck = async (repair: boolean): Promise<Finding[]> => {
    const findings: Finding[] = [];
    const options = { readData: true, repair, signal: never };
    for await (const finding of verifyStore(pfs.deps, localPrincipal, options))
      findings.push(finding);
    return findings;
  };
  assert.deepEqual(await fsck(false), []);
  for (const key of await packsOf(objects)) await objects.remove(key, {});
  const named = (await fsck(true)).map(({ problem }) => problem).join("\n");
  assert.match(named, new RegExp(`^block ${nameOf(text)}: 5 bytes are lost`, "m"));
  await put(pfs, [text]);
  assert.equal((await get(pfs, nameOf(text))).toString(), text);
});

test("blocks come back when the metadata is lost, and deleted ones do not", async (t) => {
  const objects = openMemObjectStore();
  const pfs = new TestPfs(1, { objects });
  t.after(async () => await pfs.close());
  const journal = async (): Promise<void> => {
    await pfs.deps.storage.drainInline(never, { force: true });
    await pfs.deps.storage.writeJournal(never);
  };
  await put(pfs, ["kept\n"]);
  await put(pfs, ["gone\n"]);
  await put(pfs, [lines]);
  const { createdMicros } = await new Blocks(pfs.deps).open(localPrincipal, nameOf("kept\n"));
  await journal();
  await remove(pfs, nameOf("gone\n"));
  await journal();
  const back = new TestPfs(2, { objects, session: "recovered" });
  t.after(async () => await back.close());
  const { metadata } = back.deps;
  await recoverMetadata({ objects, metadata, random: systemRandom, log: silentLog }, never);
  assert.equal((await get(back, nameOf("kept\n"))).toString(), "kept\n");
  const kept = await new Blocks(back.deps).open(localPrincipal, nameOf("kept\n"));
  assert.equal(kept.createdMicros, createdMicros);
  assert.ok(
    (await get(back, nameOf(lines.subarray(0, 8 * MiB)))).equals(lines.subarray(0, 8 * MiB)),
  );
  await assert.rejects(get(back, nameOf("gone\n")), { code: "not_found" });
});
