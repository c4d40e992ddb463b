import assert from "node:assert/strict";
import { test } from "node:test";
import { CodedError } from "../../base/errors.ts";
import { keyOfPath, pathOfKey } from "../../model/paths.ts";
import { buildTree } from "../tree/build.ts";
import { emptyTree, type Entry, type TreeRef } from "../tree/entry.ts";
import { find } from "../tree/find.ts";
import { openMemNodes } from "../tree/mem-nodes.ts";
import { piecesOf } from "../tree/pieces-of.ts";
import { scan } from "../tree/scan.ts";
import {
  all,
  contentOf,
  dirAt,
  entryAt,
  openCountingNodes,
  pieceOf,
  sorted,
  tombstoneAt,
  uidOf,
} from "../tree/testing/entries.ts";
import { applyDelta } from "./apply-delta.ts";
import { deltaFiles } from "./delta-files.ts";
import { foldDeltas } from "./fold-deltas.ts";
import type { FoldMode } from "./fold-groups.ts";
import { mergeSorted } from "./merge-sorted.ts";
import { stampDelta } from "./stamp-delta.ts";
import { normalizeRun } from "./normalize-run.ts";

const nodes = openMemNodes();
const words = (...list: string[]): { content: Entry["content"] } => ({
  content: contentOf(...list),
});
const run = async (...entries: Entry[]): Promise<Entry[]> =>
  await normalizeRun(entries, nodes, nodes);
const fold = async (mode: FoldMode, ...deltas: Entry[][]): Promise<Entry[]> =>
  await all(foldDeltas(deltas, mode, nodes, nodes));
const apply = async (root: TreeRef, delta: Entry[]): Promise<TreeRef> =>
  await applyDelta(root, delta, nodes, nodes);

/** `path=bytes` of files, `path/` of directories, flags in front. */
function text(entries: readonly Entry[]): string[] {
  return entries.map((entry) => {
    const flags = `${entry.clear ? "clear " : ""}${entry.reset ? "reset " : ""}`;
    const path = `/${pathOfKey(entry.key)}`;
    if (entry.type === "none") return `${flags}${path} none`;
    return entry.type === "dir" ? `${flags}${path}/` : `${flags}${path} ${entry.content.bytes}`;
  });
}

function isConflict(path: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof CodedError);
    assert.deepEqual(
      [error.code, error.message, error.details],
      ["failed_precondition", `file type conflict: ${path}`, { path: path.split(", ")[0] }],
    );
    return true;
  };
}

test("foldDeltas() in sequence lets a later reset or clear drop what was earlier", async () => {
  const first = await run(entryAt("d/f", words("ab")), entryAt("x", words("abc")));
  assert.deepEqual(text(first), ["/d/", "/d/f 2", "/x 3"]);
  const more = await run(entryAt("x", words("d")));
  assert.deepEqual(text(await fold("sequence", first, more)), ["/d/", "/d/f 2", "/x 4"]);
  const reset = await run(entryAt("x", { ...words("d"), reset: true }));
  assert.deepEqual(text(await fold("sequence", first, reset, more)), [
    "/d/",
    "/d/f 2",
    "reset /x 2",
  ]);
  const cleared = await run(tombstoneAt("d"));
  assert.deepEqual(text(await fold("sequence", first, cleared)), ["clear /d none", "/x 3"]);
  const again = await run(entryAt("d/f", words("xyz")), tombstoneAt("d/g"));
  assert.deepEqual(text(await fold("sequence", first, cleared, again)), [
    "clear /d/",
    "/d/f 3",
    "/x 3",
  ]);
  const nothing = await run(tombstoneAt(""));
  assert.deepEqual(text(await fold("sequence", first, cleared, nothing)), ["clear / none"]);
  assert.deepEqual(text(await fold("sequence", first, nothing, again, reset)), [
    "clear / none",
    "/d/",
    "/d/f 3",
    "/x 1",
  ]);
});

test("foldDeltas() lets a directory be deleted and a file stand there, in one commit and in two", async () => {
  const dir = await run(entryAt("d/e/f", words("1")));
  const file = await run(tombstoneAt("d"), entryAt("d", words("22")));
  assert.deepEqual(text(file), ["clear /d 2"]);
  assert.deepEqual(text(await fold("sequence", dir, file)), ["clear /d 2"]);
  assert.deepEqual(text(await run(entryAt("d/e/f"), tombstoneAt("d"), entryAt("d", words("22")))), [
    "clear /d 2",
  ]);
  const root = await apply(await apply(emptyTree, dir), file);
  assert.deepEqual(text(await all(scan(root, {}, nodes))), ["/d 2"]);
  assert.deepEqual(root.digest, (await apply(emptyTree, file)).digest);
  assert.deepEqual(
    text(
      await all(scan(await apply(root, await run(tombstoneAt("d"), entryAt("d/x"))), {}, nodes)),
    ),
    ["/d/", "/d/x 0"],
  );
});

test("foldDeltas() since a commit shows what was written, not what differs", async () => {
  const ab = await run(entryAt("f", words("ab")));
  const delta = await fold(
    "sequence",
    await run(tombstoneAt("f")),
    ab,
    await run(entryAt("f", words("c"))),
  );
  assert.deepEqual(text(await all(deltaFiles(delta))), ["/f 3"]);
  const same = await fold("sequence", await run(tombstoneAt("f")), ab);
  assert.deepEqual(text(await all(deltaFiles(same))), ["/f 2"]);
  const root = await apply(emptyTree, ab);
  assert.deepEqual(await apply(root, same), root);
  assert.deepEqual(text(await all(deltaFiles(await run(entryAt("empty"), tombstoneAt("gone"))))), [
    "/empty 0",
  ]);
  assert.deepEqual((await apply(root, await run(entryAt("f")))).digest, root.digest);
});

test("foldDeltas() in squash gives 3 lines for three replacements and 6 for three appends", async () => {
  const parent = await apply(
    emptyTree,
    await fold(
      "squash",
      ...(await Promise.all(
        ["1", "2", "3"].map(async (line) => await run(entryAt("out", words(line)))),
      )),
    ),
  );
  const tasks = async (...resets: boolean[]): Promise<string[]> => {
    const deltas = await Promise.all(
      resets.map(async (reset, i) => await run(entryAt("out", { ...words(`line-${i}`), reset }))),
    );
    const root = await apply(parent, await fold("squash", ...deltas));
    const content = (await find(root, keyOfPath("out"), nodes))!.content;
    const hashes = (await all(piecesOf(content, {}, nodes))).map(({ piece }) =>
      piece.hash.toString("hex"),
    );
    const known = new Map(
      ["1", "2", "3", "line-0", "line-1", "line-2"].map((word) => [
        pieceOf(word).hash.toString("hex"),
        word,
      ]),
    );
    return hashes.map((hash) => known.get(hash) ?? "?");
  };
  assert.deepEqual(await tasks(true, true, true), ["line-0", "line-1", "line-2"]);
  assert.deepEqual(await tasks(false, false, false), ["1", "2", "3", "line-0", "line-1", "line-2"]);
  assert.deepEqual(await tasks(false, true, false), ["line-0", "line-1", "line-2"]);
});

test("foldDeltas() in squash keeps what others wrote below a path that one cleared", async () => {
  const clears = await run(tombstoneAt("d"), entryAt("d/mine", words("1")));
  const writes = await run(
    entryAt("d/other", words("22")),
    entryAt("d/mine", words("3")),
    tombstoneAt("d/old"),
  );
  for (const deltas of [
    [clears, writes],
    [writes, clears],
  ]) {
    assert.deepEqual(text(await fold("squash", ...deltas)), [
      "clear /d/",
      "/d/mine 2",
      "/d/other 2",
    ]);
  }
});

test("foldDeltas() and normalizeRun() refuse a path that is file and directory", async () => {
  const file = await run(entryAt("p/d", words("1")));
  const below = await run(entryAt("p/d/f"));
  for (const mode of ["sequence", "squash"] as const) {
    await assert.rejects(fold(mode, file, below), isConflict("p/d"));
    await assert.rejects(fold(mode, below, file), isConflict("p/d"));
    await assert.rejects(fold(mode, file, await run(dirAt("p/d"))), isConflict("p/d"));
  }
  await assert.rejects(run(entryAt("a"), entryAt("a/b/c")), isConflict("a"));
  await assert.rejects(run(entryAt("a/b/c"), entryAt("a/b")), isConflict("a/b"));
  assert.deepEqual(text(await run(entryAt("a"), tombstoneAt("a/b"))), ["/a 0", "clear /a/b none"]);
});

test("applyDelta() names up to five conflicting paths and leaves the root as it was", async () => {
  const names = ["a", "b", "c", "d", "e", "f"];
  const root = await apply(emptyTree, await run(...names.map((name) => entryAt(name))));
  await assert.rejects(apply(root, await run(entryAt("a/x"), entryAt("g"))), isConflict("a"));
  await assert.rejects(
    apply(root, await run(...names.map((name) => entryAt(`${name}/x`)))),
    isConflict("a, b, c, d, e"),
  );
  await assert.rejects(
    apply(await apply(emptyTree, await run(dirAt("q"))), await run(entryAt("q"))),
    isConflict("q"),
  );
});

test("applyDelta() keeps directories, says who touched a file and leaves no marks", async () => {
  const first = await apply(
    emptyTree,
    await run(entryAt("d/f", { ...words("1"), modifiedMicros: 1, commit: uidOf(1), reset: true })),
  );
  const delta = await run(
    entryAt("d/f", { ...words("2"), modifiedMicros: 2, commit: uidOf(2) }),
    tombstoneAt("e/f"),
  );
  const second = await applyDelta(first, stampDelta(delta, uidOf(9)), nodes, nodes);
  const [dir, file, ...rest] = await all(scan(second, {}, nodes));
  assert.deepEqual([dir!.modifiedMicros, dir!.commit, rest], [1, uidOf(1), []]);
  assert.deepEqual(
    file,
    entryAt("d/f", { ...words("1", "2"), modifiedMicros: 2, commit: uidOf(9) }),
  );
  assert.deepEqual(second.newest, { modifiedMicros: 2, commit: uidOf(9) });
  const emptied = await apply(second, await run(tombstoneAt("d/f")));
  assert.deepEqual(text(await all(scan(emptied, {}, nodes))), ["/d/"]);
  assert.equal(await apply(emptied, await run(tombstoneAt(""))), emptyTree);
});

test("applyDelta() of one append costs a path, though the file is long and the tree wide", async () => {
  const counting = openCountingNodes();
  const files = Array.from({ length: 15_000 }, (_, i) => entryAt(`dir/f${i}`, words(`${i}`)));
  const root = await buildTree(sorted([dirAt("dir"), ...files]), counting);
  const thousand = await normalizeRun(
    Array.from({ length: 1000 }, (_, i) => entryAt("dir/f777", words(`more-${i}`))),
    counting,
    counting,
  );
  const grown = await applyDelta(root, thousand, counting, counting);
  const one = await normalizeRun([entryAt("dir/f777", words("again"))], counting, counting);
  counting.reset();
  await applyDelta(grown, one, counting, counting);
  // Two leaves, the directory's and the file's; the list; the new top once more.
  assert.ok(counting.reads <= root.level + 1 + 2 + 2 + 1, `${counting.reads} reads`);
  assert.ok(counting.writes <= root.level + 1 + 3, `${counting.writes} writes`);
});

test("mergeSorted() closes its streams when it is left early", async () => {
  let closed = 0;
  async function* stream(): AsyncGenerator<Entry> {
    try {
      yield entryAt("a");
      yield entryAt("b");
    } finally {
      closed++;
    }
  }
  for await (const { said } of mergeSorted([stream(), [entryAt("a")], stream()])) {
    assert.deepEqual(
      said.map(({ rank }) => rank),
      [0, 1, 2],
    );
    break;
  }
  assert.equal(closed, 2);
});

test("foldDeltas() of many deltas joins their appends to one list", async () => {
  const deltas = await Promise.all(
    Array.from(
      { length: 500 },
      async (_, i) => await run(entryAt("log", words(`line-${i}`)), entryAt(`own/${i}`)),
    ),
  );
  const folded = await fold("sequence", ...deltas);
  assert.equal(folded.length, 502);
  const log = folded.find(({ key }) => pathOfKey(key) === "log")!;
  assert.equal(log.content.kind === "list" ? log.content.list.pieces : 0, 500);
});
