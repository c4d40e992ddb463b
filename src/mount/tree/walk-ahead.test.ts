import assert from "node:assert/strict";
import { dirname } from "node:path/posix";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Client } from "../../client/index.ts";
import type { FileInfo } from "../../model/file.ts";
import { keyOfPath } from "../../model/paths.ts";
import { openTestRemote } from "./testing/test-remote.ts";
import { WalkAhead } from "./walk-ahead.ts";

const commit = { repo: "data", id: "master/0" };
const shard = { fileNumber: 0, fileModulus: 1, blockNumber: 0, blockModulus: 1 };

/** A commit with these files, and how many requests were made. */
function openWorld(files: readonly string[], pageEntries: number) {
  const types = new Map<string, "file" | "dir">();
  for (const file of files) {
    const names = file.split("/");
    for (let depth = 1; depth < names.length; depth++)
      types.set(names.slice(0, depth).join("/"), "dir");
    types.set(file, "file");
  }
  const all = [...types]
    .map(([path, type]) => ({ path, type }) as FileInfo)
    .toSorted((a, b) => Buffer.compare(keyOfPath(a.path), keyOfPath(b.path)));
  const world = { requests: 0 };
  const listPages = (_: unknown, path: string, { after }: { after: string }) => {
    assert.equal(path, "");
    let at = all.findIndex((one) => one.path === after) + 1;
    return {
      next: () => {
        world.requests++;
        const page = all.slice(at, at + pageEntries);
        at += pageEntries;
        return Promise.resolve(page.length === 0 ? undefined : page);
      },
    };
  };
  const client = { files: { listPages } } as unknown as Client;
  const ahead = new WalkAhead({ client, remote: openTestRemote(), shard });
  const listOf = (directory: string): string[] =>
    all.map((one) => one.path).filter((one) => dirname(one) === directory);
  const directories = all.filter(({ type }) => type === "dir").map(({ path }) => path);
  return { world, ahead, listOf, directories };
}

const name = fc.constantFrom("a", "b", "a b", "a-b", "a.b", "ab", "ä", "z");
const path = fc.array(name, { minLength: 2, maxLength: 5 }).map((names) => names.join("/"));

describe("WalkAhead", () => {
  it("WalkAhead.take() gives all that is in a directory or nothing, in whatever order it is asked", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(path, { minLength: 1, maxLength: 30 }),
        fc.array(fc.nat(), { maxLength: 40 }),
        fc.integer({ min: 1, max: 20 }),
        async (paths, picks, pageEntries) => {
          // A file cannot be in a file.
          const files = paths.map((one) => `${one}.file`);
          const { ahead, directories, listOf } = openWorld(files, pageEntries);
          const asked = picks.map((pick) => directories[pick % directories.length]!);
          for (const directory of [...asked, ...directories, ...asked]) {
            const list = await ahead.take(commit, directory);
            if (list !== undefined)
              assert.deepEqual(
                list.map((one) => one.path),
                listOf(directory),
              );
          }
        },
      ),
    );
  });

  it("WalkAhead.take() makes few requests for who walks through many directories", async () => {
    const files = Array.from({ length: 3_000 }, (_, index) => {
      const folder = String(Math.floor(index / 10)).padStart(4, "0");
      return `many/${folder}/${index}`;
    });
    const { ahead, world, directories } = openWorld(files, 1_000);
    let taken = 0;
    for (const directory of directories)
      if ((await ahead.take(commit, directory)) !== undefined) taken++;
    assert.equal(directories.length - taken, 2, "the first of them are asked for");
    assert.ok(world.requests <= 5, `${world.requests} requests`);
  });

  it("WalkAhead.take() asks for nothing when single directories are looked at", async () => {
    const { ahead, world } = openWorld(["a/b/c/d", "e/f", "g/h/i"], 10);
    for (const directory of ["a/b", "e", "g/h"])
      assert.equal(await ahead.take(commit, directory), undefined);
    assert.equal(world.requests, 0);
  });
});
