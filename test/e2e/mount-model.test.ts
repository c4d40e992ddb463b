// Goal: files of an open commit behave as those of any file system.
// Method: random operations on a mounted commit and on a plain directory, with equal outcomes after each; at
// the end everything is compared, also through a mount that never saw the writes.
import { strict as assert } from "node:assert";
import * as fs from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { randomBelow, seededRandom, systemRandom, type Random } from "../../src/base/random.ts";
import { openTestDaemon, testFolder } from "./testing/daemon.ts";
import { openTestMount, whyNoMount } from "./testing/mounted.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

const seed = Number(process.env["MAMMOTH_MOUNT_SEED"] ?? systemRandom.bytes(4).readUInt32BE());
const operations = Number(process.env["MAMMOTH_MOUNT_OPERATIONS"] ?? 200);
const skip = whyNoMount() ?? false;

interface Operation {
  readonly name: string;
  run(root: string): Promise<unknown>;
}

const names = ["a", "b", "c", "d.json", "e.bin"];

function pick<T>(random: Random, values: readonly T[]): T {
  return values[randomBelow(random, values.length)]!;
}

function somePath(random: Random): string {
  const depth = 1 + randomBelow(random, 3);
  return Array.from({ length: depth }, () => pick(random, names)).join("/");
}

/** What an error is to a program. */
async function outcome(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

async function withFile(
  path: string,
  flags: string,
  work: (file: fs.FileHandle) => Promise<unknown>,
): Promise<unknown> {
  const file = await fs.open(path, flags);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

function someOperation(random: Random, index: number): Operation {
  const path = somePath(random);
  const other = somePath(random);
  const at = randomBelow(random, 3) === 0 ? 0 : randomBelow(random, 300_000);
  const bytes = seededBytes(`${seed} ${index}`, randomBelow(random, 10) === 0 ? 400_000 : at % 900);
  const kind = randomBelow(random, 14);
  switch (kind) {
    case 0:
    case 1:
      return {
        name: `write ${path}`,
        run: async (root) => await fs.writeFile(join(root, path), bytes),
      };
    case 2:
    case 3:
      return {
        name: `append ${path}`,
        run: async (root) => await fs.appendFile(join(root, path), bytes),
      };
    case 4:
      return {
        name: `overwrite ${path} at ${at}`,
        run: async (root) =>
          await withFile(join(root, path), "r+", async (file) => {
            await file.write(bytes, 0, bytes.length, at);
            const { size } = await file.stat();
            await file.write(Buffer.from("end"), 0, 3, size);
            return size;
          }),
      };
    case 5:
      return { name: `truncate ${path}`, run: (root) => fs.truncate(join(root, path), at) };
    case 6:
      return {
        name: `truncate while open ${path}`,
        run: async (root) =>
          await withFile(join(root, path), "r+", async (file) => {
            await file.write(bytes, 0, bytes.length, at);
            await file.truncate(at + 7);
            await file.write(Buffer.from("x"), 0, 1, at + 70);
          }),
      };
    case 7:
      return {
        name: `rename ${path} ${other}`,
        run: (root) => fs.rename(join(root, path), join(root, other)),
      };
    case 8:
      return { name: `unlink ${path}`, run: (root) => fs.unlink(join(root, path)) };
    case 9:
      return { name: `rmdir ${path}`, run: (root) => fs.rmdir(join(root, path)) };
    case 10:
      return { name: `mkdir ${path}`, run: (root) => fs.mkdir(join(root, path)) };
    case 11:
      return {
        name: `unlink while open ${path}`,
        run: async (root) =>
          await withFile(join(root, path), "r+", async (file) => {
            await file.write(bytes, 0, bytes.length, at);
            await fs.unlink(join(root, path));
            return (await file.readFile()).toString("base64");
          }),
      };
    case 12:
      return {
        name: `list ${dirname(path)}`,
        run: async (root) => (await fs.readdir(join(root, dirname(path)))).toSorted(),
      };
    default:
      return {
        name: `read ${path}`,
        run: async (root) => (await fs.readFile(join(root, path))).toString("base64"),
      };
  }
}

/** Every path below a directory with its type and content. */
async function everything(root: string): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (const entry of await fs.readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const content = entry.isDirectory() ? "dir" : (await fs.readFile(path)).toString("base64");
    all.set(path.slice(root.length + 1), content);
  }
  return new Map([...all].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

test(
  `${operations} random operations do to a mounted commit what they do to a directory (MAMMOTH_MOUNT_SEED=${seed})`,
  { skip, timeout: 60_000 + operations * 200 },
  async (t) => {
    const daemon = await openTestDaemon(t);
    await daemon.ok(["create-repo", "data"]);
    await daemon.ok(["start-commit", "data", "master"]);
    const mount = await openTestMount(t, daemon, ["data/master/0"]);
    const plain = join(testFolder(t), "plain");
    await fs.mkdir(plain);
    const random = seededRandom(seed);
    for (let index = 0; index < operations; index++) {
      const operation = someOperation(random, index);
      const expected = await outcome(() => operation.run(plain));
      const actual = await outcome(() => operation.run(mount.point));
      assert.deepEqual(actual, expected, `operation ${index}: ${operation.name}\n${mount.log}`);
    }
    const expected = await everything(plain);
    assert.ok(expected.size > 0);
    assert.deepEqual(await everything(mount.point), expected);
    await daemon.ok(["unmount", mount.point]);
    assert.equal(await mount.ended(), 0);
    await daemon.ok(["finish-commit", "data", "master/0"]);
    const later = await openTestMount(t, daemon, ["data"]);
    assert.deepEqual(await everything(join(later.point, "master-0")), expected);
    assert.equal(mount.log, "");
  },
);
