import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Clock } from "../../base/clock.ts";
import type { Client } from "../../client/index.ts";
import type { FileInfo } from "../../model/file.ts";
import { BringNames } from "./bring-names.ts";
import { KnownNames } from "./known-names.ts";
import { Node, type Folder, type FolderNode } from "./node.ts";
import { openTestRemote } from "./testing/test-remote.ts";

const commit = { repo: "data", id: "master/0" };
const shard = { fileNumber: 0, fileModulus: 1, blockNumber: 0, blockModulus: 1 };
const never = new AbortController().signal;

/** A directory `in` of an open commit that others write to, and the time. */
function openWorld(toldMax = Infinity) {
  const world = { nowMs: 0, lists: 0, questions: 0 };
  const written: string[] = [];
  const at = new Map<string, number>();
  const writes = (_: unknown, { after }: { after?: number }) => {
    world.questions++;
    const paths = after === undefined ? [] : written.slice(after);
    const isCut = paths.length > toldMax;
    return Promise.resolve({ paths: isCut ? [] : paths, next: written.length, isCut });
  };
  const listPages = () => ({
    next: () => {
      world.lists++;
      const names = new Set(written.map((path) => path.split("/").slice(0, 2).join("/")));
      return Promise.resolve([...names].map((path) => ({ path }) as FileInfo));
    },
  });
  const client = { files: { writes, listPages } } as unknown as Client;
  const clock = { monotonicMs: () => world.nowMs } as Clock;
  const names = new KnownNames(clock);
  const bringing = new BringNames({ client, clock, remote: openTestRemote(), shard }, names);
  const top = new Node(1, { type: "top" } as Folder, undefined, "");
  const folder = new Node(2, { type: "dir" } as Folder, top, "in") as FolderNode;
  const write = (name: string): void => {
    written.push(`in/${name}`, "elsewhere/in");
    if (!at.has(name)) at.set(name, world.nowMs);
  };
  /** As a lookup does. */
  const lacks = async (name: string): Promise<boolean> => {
    if (names.isStale(folder)) await bringing.bring(folder, commit, never);
    return names.lack(folder, name);
  };
  return { world, at, names, folder, write, lacks, bringing };
}

describe("BringNames", () => {
  it("BringNames.bring() leaves no name out that was there a second ago", async () => {
    const step = fc.record({
      ms: fc.integer({ min: 0, max: 700 }),
      name: fc.nat(9).map((n) => `n${n}${n % 3 === 0 ? "/below" : ""}`),
      isWrite: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step), fc.constantFrom(1, 4, Infinity), async (steps, toldMax) => {
        const { world, at, folder, write, lacks, bringing } = openWorld(toldMax);
        await bringing.bring(folder, commit, never);
        for (const { ms, name, isWrite } of steps) {
          world.nowMs += ms;
          const [looked = ""] = name.split("/");
          if (isWrite) write(name);
          else if (await lacks(looked)) {
            const madeMs = Math.min(
              ...[...at].filter(([one]) => one.split("/")[0] === looked).map(([, made]) => made),
            );
            assert.ok(!(madeMs < world.nowMs - 1_000), `${looked} of ${madeMs} at ${world.nowMs}`);
          }
        }
      }),
    );
  });

  it("BringNames.bring() lists once as long as somebody goes on looking up names", async () => {
    const { world, folder, write, lacks, bringing } = openWorld();
    await Promise.all([1, 2, 3].map(() => bringing.bring(folder, commit, never)));
    for (let second = 0; second < 100; second++) {
      world.nowMs += 1_100;
      write(`other${second}`);
      const [isLacking, hasOther] = await Promise.all([lacks("mine"), lacks(`other${second}`)]);
      assert.deepEqual([isLacking, hasOther], [true, false]);
    }
    assert.deepEqual([world.lists, world.questions], [1, 101]);
    world.nowMs += 60_000;
    assert.equal(await lacks("mine"), false, "too old to say so");
  });

  it("KnownNames.add() forgets directories when there are too many names", () => {
    const { names, folder } = openWorld();
    names.bring(folder, { commit: "c", names: new Set(["a"]), next: 1, atMs: 0 });
    assert.equal(names.lack(folder, "b"), true);
    for (let index = 0; index < 200_000; index++) names.add(folder, `made${index}`);
    assert.equal(names.lack(folder, "b"), false);
  });
});
