import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import type { CommitName } from "../model/commit.ts";
import type { OutputChange } from "../model/output-change.ts";
import { stageOutput } from "./output-staging.ts";
import { stageSquash } from "./squash.ts";
import { listed, never, openTestPfs, type Files, type TestPfs } from "./testing/open-test-pfs.ts";

const r: CommitName = { repo: "r", id: "master" };

/** `> f=x` replaces, `>> f=x` appends, `rm f` deletes, `mkdir f`. */
function changeOf(deed: string): OutputChange {
  const [verb, rest] = [deed.split(" ", 1)[0]!, deed.slice(deed.indexOf(" ") + 1)];
  if (verb === "rm") return { kind: "delete", path: rest };
  if (verb === "mkdir") return { kind: "mkdir", path: rest };
  const [path, text] = rest.split("=") as [string, string];
  const bytes = Buffer.from(text);
  const content = (): AsyncIterable<Uint8Array> => listed([bytes]);
  return { kind: verb === ">" ? "replace" : "append", path, bytes: bytes.length, content };
}

async function squash(
  pfs: TestPfs,
  tasks: readonly (readonly string[])[],
  key = "k",
): Promise<void> {
  const { info } = await pfs.deps.metadata.call("findCommit", r);
  const deltas = [];
  for (const deeds of tasks) {
    const { run, sealed } = await stageOutput(
      pfs.deps,
      info.uid,
      listed(deeds.map(changeOf)),
      never,
    );
    // Recorded as the tasks of a job are: with a transaction of another kind.
    await pfs.deps.metadata.call("stageRun", {
      uid: await scratch(pfs),
      run,
      sealed,
      answer: "{}",
    });
    deltas.push(run);
  }
  await stageSquash(pfs.deps, { uid: info.uid, key, deltas });
}

/** An open commit in another repo, that what tasks wrote is recorded with. */
async function scratch(pfs: TestPfs): Promise<string> {
  const id = await pfs.start("scratch", `b${pfs.clock.nowMicros()}`);
  return (await pfs.deps.metadata.call("findCommit", { repo: "scratch", id })).info.uid;
}

const parent: Record<string, string> = { f: "old\n", "d/x": "x\n" };

/** What three tasks did, what comes of it without a parent, and on top of `parent`. */
const table: readonly (readonly [string, readonly (readonly string[])[], Files, Files])[] = [
  [
    "every task writes the file anew",
    [["> f=1\n"], ["> f=2\n"], ["> f=3\n"]],
    { f: "1\n2\n3\n" },
    { d: null, "d/x": "x\n", f: "1\n2\n3\n" },
  ],
  [
    "every task appends",
    [[">> f=1\n"], [">> f=2\n"], [">> f=3\n"]],
    { f: "1\n2\n3\n" },
    { d: null, "d/x": "x\n", f: "old\n1\n2\n3\n" },
  ],
  [
    "one writes anew, others append",
    [[">> f=1\n"], ["> f=2\n"], [">> f=3\n"]],
    { f: "1\n2\n3\n" },
    { d: null, "d/x": "x\n", f: "1\n2\n3\n" },
  ],
  ["every task deletes", [["rm f"], ["rm f"], ["rm f"]], {}, { d: null, "d/x": "x\n" }],
  ["one deletes, the others leave it", [[], ["rm f"], []], {}, { d: null, "d/x": "x\n" }],
  [
    "one deletes, others append",
    [[">> f=1\n"], ["rm f"], [">> f=3\n"]],
    { f: "1\n3\n" },
    { d: null, "d/x": "x\n", f: "1\n3\n" },
  ],
  [
    "one deletes, others write anew",
    [["> f=1\n"], ["rm f"], ["> f=3\n"]],
    { f: "1\n3\n" },
    { d: null, "d/x": "x\n", f: "1\n3\n" },
  ],
  [
    "one deletes a directory in which another writes",
    [["rm d"], [">> d/y=y\n"], []],
    { d: null, "d/y": "y\n" },
    { d: null, "d/y": "y\n", f: "old\n" },
  ],
  [
    "each writes a file of its own",
    [[">> a=1\n"], [">> b=2\n"], [">> d/c=3\n", "mkdir e"]],
    { a: "1\n", b: "2\n", d: null, "d/c": "3\n", e: null },
    { a: "1\n", b: "2\n", d: null, "d/c": "3\n", "d/x": "x\n", e: null, f: "old\n" },
  ],
  ["nobody writes", [[], [], []], {}, { d: null, "d/x": "x\n", f: "old\n" }],
];

describe("stageSquash()", () => {
  for (const [what, tasks, alone, onTop] of table) {
    it(`stageSquash() joins three tasks in order when ${what}`, async (t) => {
      const pfs = openTestPfs(t);
      for (const name of ["r", "scratch"]) await pfs.repo(name);
      await pfs.start("r");
      await squash(pfs, tasks);
      await pfs.finish(r);
      assert.deepEqual(sorted(await pfs.files(r)), sorted(alone));
      const base = await pfs.start("r");
      await pfs.delete({ repo: "r", id: base }, "/");
      for (const [path, text] of Object.entries(parent)) await pfs.put(r, path, text);
      await pfs.finish(r);
      await pfs.start("r");
      await squash(pfs, tasks, "k2");
      await pfs.finish(r);
      assert.deepEqual(sorted(await pfs.files(r)), sorted(onTop));
    });
  }

  it("stageSquash() does nothing when repeated with its key", async (t) => {
    const pfs = openTestPfs(t);
    for (const name of ["r", "scratch"]) await pfs.repo(name);
    await pfs.start("r");
    for (let times = 0; times < 2; times++) await squash(pfs, [[">> f=1\n"], [">> f=2\n"]]);
    await pfs.finish(r);
    assert.equal(await pfs.get(r, "f"), "1\n2\n");
  });

  it("stageSquash() refuses a path that is a file for one and a directory for another", async (t) => {
    const pfs = openTestPfs(t);
    for (const name of ["r", "scratch"]) await pfs.repo(name);
    await pfs.start("r");
    await assert.rejects(squash(pfs, [[">> f=1\n"], [">> f/g=2\n"]]), {
      code: "failed_precondition",
      message: /^file type conflict: f/,
    });
  });
});

function sorted(files: Files): [string, string | null][] {
  return Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
}
