import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { CodedError } from "../base/errors.ts";
import type { OutputChange } from "./output-change.ts";
import { readFrames, writeFrames } from "./output-frames.ts";

type Plain = { readonly kind: OutputChange["kind"]; readonly path: string; readonly text?: string };

async function* each<T>(items: Iterable<T>): AsyncGenerator<T, void, void> {
  for (const item of items) yield await Promise.resolve(item);
}

function changeOf({ kind, path, text = "" }: Plain): OutputChange {
  if (kind === "mkdir" || kind === "delete") return { kind, path };
  const bytes = Buffer.from(text);
  return { kind, path, bytes: bytes.length, content: () => each([bytes]) };
}

async function joined(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of source) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

async function plain(changes: AsyncIterable<OutputChange>): Promise<Plain[]> {
  const found: Plain[] = [];
  for await (const change of changes) {
    const { kind, path } = change;
    if ("content" in change)
      found.push({ kind, path, text: String(await joined(change.content())) });
    else found.push({ kind, path });
  }
  return found;
}

function slices(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length]!;
    found.push(bytes.subarray(at, at + length));
    at += length;
  }
  return found;
}

const path = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
const change: fc.Arbitrary<Plain> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("append" as const, "replace" as const),
    path,
    text: fc.string({ unit: "grapheme", maxLength: 200 }),
  }),
  fc.record({ kind: fc.constantFrom("mkdir" as const, "delete" as const), path }),
);
const changes = fc.array(change, { maxLength: 10 });
const lengths = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 });

it("readFrames() gives what writeFrames() was given, however it is sliced", async () => {
  await fc.assert(
    fc.asyncProperty(changes, lengths, async (list, cuts) => {
      const bytes = await joined(writeFrames(each(list.map(changeOf))));
      assert.deepEqual(
        await plain(readFrames(each(slices(bytes, cuts)))),
        list.map((one) => ({ ...one })),
      );
    }),
  );
});

it("readFrames() never takes a part for the whole", async () => {
  await fc.assert(
    fc.asyncProperty(changes, fc.nat(), async (list, at) => {
      const bytes = await joined(writeFrames(each(list.map(changeOf))));
      const part = bytes.subarray(0, at % bytes.length);
      await assert.rejects(
        plain(readFrames(each([part]))),
        (error) => error instanceof CodedError && error.code === "cancelled",
      );
    }),
  );
});

it("readFrames() skips content that was not read", async () => {
  const list = [
    { kind: "append", path: "a", text: "12345" },
    { kind: "mkdir", path: "b" },
  ] as const;
  const paths: string[] = [];
  for await (const { path: one } of readFrames(writeFrames(each(list.map(changeOf)))))
    paths.push(one);
  assert.deepEqual(paths, ["a", "b"]);
});

it("readFrames() refuses what is no change", async () => {
  for (const text of ["\n", "{}\n", '{"kind":"link","path":"a","bytes":0}\n', "x".repeat(600_000)])
    await assert.rejects(
      plain(readFrames(each([Buffer.from(text)]))),
      (error) => error instanceof CodedError && error.code === "invalid_argument",
      text.slice(0, 20),
    );
});

it("writeFrames() refuses content of another length than was said", async () => {
  const liar = { ...changeOf({ kind: "append", path: "a", text: "12345" }), bytes: 4 };
  await assert.rejects(joined(writeFrames(each([liar as OutputChange]))), { code: "data_loss" });
});
