import { randomBelow, randomHex, type Random } from "../../../src/base/random.ts";
import { KiB, MiB } from "../../../src/base/size.ts";
import { packTar } from "../../../src/client/index.ts";
import type { Plan, Step } from "./crash-writer.ts";
import type { Write } from "./oracle.ts";
import { seededBytes } from "./seeded-bytes.ts";

/** Commits of a few small files each, appended to and replaced. */
export const smallPuts: Plan = (random) =>
  commitOf(
    Array.from({ length: 1 + randomBelow(random, 5) }, () =>
      onePut("put-file, inline", newFile(random, `small-${randomBelow(random, 8)}`, 40 * KiB)),
    ),
  );

/** Commits of one file of 20 MB, which goes through packs. */
export const largePuts: Plan = (random) =>
  commitOf([
    onePut("put-file, 20 MB", {
      path: `large-${randomBelow(random, 2)}`,
      overwrite: true,
      bytes: freshBytes(random, 20 * MiB),
    }),
  ]);

/** Commits of 500 files in one request, every other one made by that request alone. */
export async function tarPuts(): Promise<Plan> {
  const tars = await Promise.all([0, 1, 2].map(async (seed) => await tarOf(`tar ${seed}`)));
  return (_random, round) => {
    const { writes, body } = tars[round % tars.length]!;
    const asCommit = round % 2 === 1;
    const put = { kind: "put-file, tar of 500", writes, request: { asCommit, path: "/tar", body } };
    return asCommit ? [put] : commitOf([put]);
  };
}

/** Each put a commit of its own: two files of words, for pipelines to read. */
export const ownCommits: Plan = (random) => {
  const words = ["apple", "banana", "cherry"];
  const lines = Array.from(
    { length: 1 + randomBelow(random, 40) },
    () => `${words[randomBelow(random, words.length)]} ${randomBelow(random, 100)}\n`,
  );
  const write = {
    path: `words-${randomBelow(random, 3)}`,
    overwrite: false,
    bytes: Buffer.from(lines.join("")),
  };
  return [onePut("put-file -c", write, true)];
};

/** Commits of 17 MiB in inline requests: more than the metadata keeps before it is drained. */
export const inlineFlood: Plan = (random) =>
  commitOf(
    Array.from({ length: 70 }, (_, index) =>
      onePut("put-file, draining", {
        path: `flood-${index}`,
        overwrite: true,
        bytes: freshBytes(random, 250 * KiB),
      }),
    ),
  );

function commitOf(puts: Step[]): Step[] {
  return [{ kind: "start-commit" }, ...puts, { kind: "finish-commit" }];
}

function onePut(kind: string, write: Write, asCommit = false): Step {
  const path = `/files/${write.path}${write.overwrite ? "?overwrite=true" : ""}`;
  return { kind, writes: [write], request: { asCommit, path, body: write.bytes } };
}

function newFile(random: Random, path: string, bytesMax: number): Write {
  const bytes = freshBytes(random, 1 + randomBelow(random, bytesMax));
  return { path, overwrite: randomBelow(random, 3) === 0, bytes };
}

function freshBytes(random: Random, count: number): Buffer {
  return seededBytes(randomHex(random), count);
}

async function tarOf(seed: string): Promise<{ writes: Write[]; body: Buffer }> {
  const writes = Array.from({ length: 500 }, (_, index) => ({
    path: `dir-${index % 7}/file-${index}`,
    overwrite: false,
    bytes: seededBytes(`${seed} ${index}`, 1 + ((index * 37) % 2_000)),
  }));
  const files = writes.map(({ path, bytes }) => ({
    path,
    sizeBytes: bytes.length,
    open: async function* () {
      await Promise.resolve();
      yield bytes;
    },
  }));
  const pieces: Uint8Array[] = [];
  for await (const piece of packTar(files)) pieces.push(piece);
  return { writes, body: Buffer.concat(pieces) };
}
