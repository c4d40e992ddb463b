import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isCoded, type ErrorCode } from "../base/errors.ts";
import { seededRandom } from "../base/random.ts";
import { openLocalFiles } from "./open-local-files.ts";
import type { LocalFiles } from "./local-files.ts";

function opened(t: TestContext): { files: LocalFiles; at: (name: string) => string } {
  const folder = mkdtempSync(join(tmpdir(), "local-files-"));
  const files = openLocalFiles();
  t.after(async () => {
    await files.close();
    rmSync(folder, { recursive: true });
  });
  return { files, at: (name) => join(folder, name) };
}

const bytes = seededRandom(1).bytes(3 << 20);

test("readSmall() gives files in order, as many as fit, and no large ones", async (t) => {
  const { files, at } = opened(t);
  const sizes = [0, 1, 128 << 10, (128 << 10) + 1, 4_096, ...Array<number>(20).fill(100_000)];
  for (const [i, size] of sizes.entries())
    writeFileSync(at(String(i)), bytes.subarray(i, i + size));
  let next = 0;
  let calls = 0;
  while (next < sizes.length) {
    const paths = sizes.map((_, i) => at(String(i))).slice(next);
    const found = await files.readSmall(paths);
    calls++;
    assert.ok(found.sizes.length > 0 && found.contents.length <= 1 << 20);
    let start = 0;
    for (const size of found.sizes) {
      const expected = sizes[next]!;
      assert.equal(size, expected > 128 << 10 ? undefined : expected);
      const content = found.contents.subarray(start, start + (size ?? 0));
      assert.deepEqual(content, bytes.subarray(next, next + (size ?? 0)));
      start += size ?? 0;
      next++;
    }
  }
  assert.equal(calls, 3);
});

const unreadable: readonly [string, (path: string) => void, ErrorCode][] = [
  ["nothing", () => undefined, "not_found"],
  ["a directory", mkdirSync, "invalid_argument"],
  ["a pipe", (path) => void execFileSync("mkfifo", [path]), "unavailable"],
  ["a circle of links", (path) => symlinkSync(path, path), "invalid_argument"],
];
for (const [what, make, code] of unreadable)
  test(`readSmall() names the file when it is ${what}`, async (t) => {
    const { files, at } = opened(t);
    writeFileSync(at("good"), "apple 4\n");
    make(at("bad"));
    await assert.rejects(
      files.readSmall([at("good"), at("bad")]),
      (error) => isCoded(error, code) && String(error).includes(`Cannot read ${at("bad")}: `),
    );
    assert.deepEqual((await files.readSmall([at("good")])).sizes, [8]);
  });

test("read() gives the bytes from an offset on", async (t) => {
  const { files, at } = opened(t);
  writeFileSync(at("large"), bytes);
  for (const [offset, bytesMax] of [
    [0, Infinity],
    [1_500_000, Infinity],
    [10, 2_000_000],
    [bytes.length, Infinity],
  ] as const) {
    const pieces: Buffer[] = [];
    for await (const piece of files.read(at("large"), { offset, bytesMax }))
      pieces.push(Buffer.from(piece));
    assert.deepEqual(Buffer.concat(pieces), bytes.subarray(offset, offset + bytesMax));
  }
  await assert.rejects(async () => {
    for await (const _ of files.read(at("none"), { offset: 0, bytesMax: 1 }));
  }, /Cannot read .*none: there is no such file/);
});

test("read() goes on behind the end that a file had, when it has grown", async (t) => {
  const { files, at } = opened(t);
  const [first, second] = [bytes.subarray(0, 1_500_000), bytes.subarray(1_500_000)];
  writeFileSync(at("log"), first);
  const pieces: Buffer[] = [];
  for await (const piece of files.read(at("log"), { offset: 0, bytesMax: Infinity })) {
    pieces.push(Buffer.from(piece));
    if (pieces.length === 1) appendFileSync(at("log"), second);
  }
  assert.deepEqual(Buffer.concat(pieces), bytes);
});

for (const [what, make] of [
  ["a pipe", (path: string) => void execFileSync("mkfifo", [path])],
  ["a device", (path: string) => symlinkSync("/dev/zero", path)],
] as const)
  test(`read() reads no file that is ${what}`, { timeout: 10_000 }, async (t) => {
    const { files, at } = opened(t);
    make(at("bad"));
    const read = files.read(at("bad"), { offset: 0, bytesMax: 1 });
    await assert.rejects(read[Symbol.asyncIterator]().next(), (error) =>
      String(error).includes(`Cannot read ${at("bad")}: `),
    );
  });
