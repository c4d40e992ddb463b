import assert from "node:assert/strict";
import * as nodeFs from "node:fs/promises";
import { tmpdir } from "node:os";
import { describe, it } from "node:test";
import fc from "fast-check";
import { systemRandom } from "../../base/random.ts";
import { ContentCache } from "./content-cache.ts";
import type { Content } from "./content.ts";
import { Draft } from "./draft.ts";
import type { DraftPart, Put } from "./draft-part.ts";
import { namelessFiles, ScratchSpace } from "./scratch.ts";
import type { WritePlace } from "../volume.ts";

const signal = new AbortController().signal;

/** A file of a commit, and a draft of it. */
function openWorld(start: Buffer | undefined, keepsWrites = false) {
  const remote = { bytes: start, puts: [] as string[] };
  const base: Content | undefined =
    start === undefined
      ? undefined
      : {
          key: "file",
          sizeBytes: start.length,
          // eslint-disable-next-line typescript/require-await -- it is asked as one that waits
          async *fetch({ start: from, end }) {
            yield Buffer.from(remote.bytes!.subarray(from, end));
          },
        };
  const space = new ScratchSpace(
    namelessFiles({ fs: nodeFs, folder: tmpdir(), random: systemRandom }),
  );
  const cache = new ContentCache(1_000_000);
  let keys = 0;
  const newKey = (): string => `key ${keys++}`;
  const draft = new Draft({ base, scratch: space.open(), cache, keepsWrites, newKey });
  const arrived = new Set<string>();
  const put: Put = async ({ bytes, overwrite, key }) => {
    if (arrived.has(key)) return;
    arrived.add(key);
    const parts: Uint8Array[] = [];
    for await (const part of bytes()) parts.push(Buffer.from(part));
    const sent = Buffer.concat(parts);
    remote.puts.push(`${overwrite ? "replace" : "append"} ${sent.length}`);
    remote.bytes = overwrite ? sent : Buffer.concat([remote.bytes ?? Buffer.alloc(0), sent]);
  };
  return { remote, draft, put, space };
}

/** Its answer is lost, if it arrived at all. */
async function sendBadly(draft: Draft, put: Put, arrives: boolean): Promise<void> {
  const failing = async (part: DraftPart): Promise<void> => {
    if (arrives) await put(part);
    throw new Error("lost");
  };
  await draft.send(failing).catch(() => undefined);
}

const place = fc.nat(600_000);
const step = fc.oneof(
  fc.record({
    op: fc.constant("write" as const),
    at: place,
    isAppend: fc.boolean(),
    bytes: fc.nat(3_000),
    fill: fc.integer({ min: 1, max: 255 }),
  }),
  fc.record({ op: fc.constant("resize" as const), at: place }),
  fc.record({ op: fc.constant("send" as const) }),
  fc.record({ op: fc.constant("fail" as const), arrives: fc.boolean() }),
  fc.record({ op: fc.constant("detach" as const) }),
);

const placeAt = (offset: number): WritePlace => ({ offset, isAppend: false });
const behind: WritePlace = { offset: 0, isAppend: true };

describe("Draft", () => {
  it("Draft shows, and sends, what was written to it, in whatever order, whatever is lost on the way", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.option(fc.nat(400_000), { nil: undefined }),
        fc.array(step, { maxLength: 12 }),
        async (size, steps) => {
          let model = Buffer.alloc(size ?? 0, "base");
          const { remote, draft, put } = openWorld(size === undefined ? undefined : model);
          for (const one of steps) {
            if (one.op === "write") {
              const bytes = Buffer.alloc(one.bytes, one.fill);
              const at = one.isAppend ? model.length : one.at;
              assert.equal(
                await draft.write({ offset: one.at, isAppend: one.isAppend }, bytes),
                at,
              );
              const grown = Buffer.alloc(Math.max(model.length, at + one.bytes));
              model.copy(grown);
              bytes.copy(grown, at);
              model = grown;
            } else if (one.op === "resize") {
              await draft.resize(one.at);
              const cut = Buffer.alloc(one.at);
              model.copy(cut);
              model = cut;
            } else if (one.op === "send") await draft.send(put);
            else if (one.op === "fail") await sendBadly(draft, put, one.arrives);
            else await draft.detach(signal);
          }
          assert.equal(draft.sizeBytes, model.length);
          const shown = Buffer.concat(await draft.read({ start: 0, end: Infinity }, signal));
          assert.ok(shown.equals(model), "what is read");
          await draft.send(put);
          assert.ok(remote.bytes?.equals(model), "what is sent");
          assert.ok(!draft.isDirty);
          await draft.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("Draft.send() appends what is behind the end, and replaces the file for anything else", async () => {
    const { remote, draft, put } = openWorld(Buffer.from("line\n"));
    await draft.write(placeAt(5), Buffer.from("more\n"));
    await draft.send(put);
    await draft.send(put);
    await draft.write(placeAt(0), Buffer.from("L"));
    await draft.send(put);
    await draft.resize(4);
    await draft.send(put);
    assert.deepEqual(remote.puts, ["append 5", "replace 10", "replace 4"]);
    assert.equal(remote.bytes?.toString(), "Line");
  });

  it("Draft.send() makes an empty file, and each write a put when writes are kept apart", async () => {
    const empty = openWorld(undefined);
    await empty.draft.send(empty.put);
    assert.deepEqual(empty.remote.puts, ["append 0"]);
    const { remote, draft, put } = openWorld(undefined, true);
    for (const text of ["ab", "cde"]) await draft.write(behind, Buffer.from(text));
    await draft.send(put);
    assert.deepEqual(remote.puts, ["append 2", "append 3"]);
  });

  it("Draft.send() goes on where it failed", async () => {
    const { remote, draft, put } = openWorld(undefined, true);
    for (const text of ["ab", "cde"]) await draft.write(behind, Buffer.from(text));
    let calls = 0;
    const failing: Put = async (part) => {
      if (++calls === 2) throw new Error("no");
      await put(part);
    };
    await assert.rejects(draft.send(failing));
    assert.ok(draft.isDirty);
    await draft.send(put);
    assert.equal(remote.bytes?.toString(), "abcde");
  });

  it("Draft.close() gives the memory of its scratch file back", async () => {
    const { draft, space } = openWorld(undefined);
    await draft.write(placeAt(0), Buffer.alloc(5_000));
    assert.equal(space.usedBytes, 8_192);
    await draft.close();
    assert.equal(space.usedBytes, 0);
  });
});
