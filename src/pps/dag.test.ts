import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import type { SourcedCommit, TriggerCommit } from "../metadata/index.ts";
import { inputSetsOf } from "./dag.ts";

/** `b1<a1` is commit b1 of repo b, made from a1; its parent is b0. Letters are repos. */
function commit(text: string): SourcedCommit {
  const [uid = "", ...ups] = text.split("<");
  const number = Number(uid.slice(1));
  return {
    uid,
    repo: uid[0]!,
    id: `master/${number}`,
    parentUid: number === 0 ? null : `${uid[0]}${number - 1}`,
    sources: Object.fromEntries([uid, ...ups].map((one) => [one[0]!, one])),
  };
}

interface Case {
  readonly what: string;
  readonly repos: string;
  /** The finished commit, and its parent. */
  readonly commit: string;
  readonly parent?: string;
  /** What the other inputs offer, and parents of those. */
  readonly others?: readonly string[];
  readonly parents?: readonly string[];
  /** `inputs` or `inputs after inputs before`. */
  readonly sets: readonly string[];
}

const cases: readonly Case[] = [
  { what: "one input, first commit", repos: "a", commit: "a0", sets: ["a0"] },
  { what: "one input, next commit", repos: "a", commit: "a1", parent: "a0", sets: ["a1 after a0"] },
  { what: "nothing in the other input yet", repos: "ab", commit: "a0", sets: [] },
  {
    what: "two inputs that know nothing of each other",
    repos: "ab",
    commit: "b2",
    parent: "b1",
    others: ["a3"],
    sets: ["a3 b2 after a3 b1"],
  },
  {
    what: "several branches of the other input",
    repos: "ab",
    commit: "a1",
    parent: "a0",
    others: ["b3", "b7"],
    sets: ["a1 b3 after a0 b3", "a1 b7 after a0 b7"],
  },
  {
    what: "three inputs: all combinations",
    repos: "abc",
    commit: "b0",
    others: ["a0", "a5", "c0", "c5"],
    sets: ["a0 b0 c0", "a0 b0 c5", "a5 b0 c0", "a5 b0 c5"],
  },
  {
    what: "a diamond takes what was made from the same commit",
    repos: "bc",
    commit: "c1<a1",
    parent: "c0<a0",
    others: ["b0<a0", "b1<a1"],
    parents: ["b0<a0"],
    sets: ["b1 c1 after b0 c0"],
  },
  {
    what: "a diamond whose other side is not there yet",
    repos: "bc",
    commit: "c1<a1",
    parent: "c0<a0",
    others: ["b0<a0"],
    sets: [],
  },
  {
    what: "a source and what was made from it",
    repos: "ab",
    commit: "b1<a1",
    parent: "b0<a0",
    others: ["a1"],
    parents: ["a0"],
    sets: ["a1 b1 after a0 b0"],
  },
  {
    what: "the others must go with each other, too",
    repos: "bcd",
    commit: "d0",
    others: ["b0<a0", "b1<a1", "c1<a1"],
    sets: ["b1 c1 d0"],
  },
  {
    what: "no set before when the other side missed one: from scratch",
    repos: "bc",
    commit: "b2<a2",
    parent: "b0<a0",
    others: ["c2<a2"],
    parents: ["c1<a1"],
    sets: ["b2 c2"],
  },
];

function triggerOf({ commit: text, parent, others = [], parents = [] }: Case): TriggerCommit {
  const offered = others.map(commit);
  const byUid = new Map(parents.map((one) => [commit(one).uid, commit(one)]));
  return {
    finishNumber: 1,
    commit: commit(text),
    parent: parent === undefined ? undefined : commit(parent),
    others: Object.fromEntries(
      offered.map(({ repo }) => [repo, offered.filter((one) => one.repo === repo)]),
    ),
    parents: Object.fromEntries(
      offered.flatMap(({ uid, parentUid }) => {
        const found = byUid.get(parentUid ?? "");
        return found === undefined ? [] : [[uid, found]];
      }),
    ),
  };
}

describe("inputSetsOf()", () => {
  for (const one of cases) {
    it(`inputSetsOf() gives [${one.sets.join(", ")}] for ${one.what}`, () => {
      const uids = (set: readonly SourcedCommit[]): string => set.map(({ uid }) => uid).join(" ");
      const sets = inputSetsOf(triggerOf(one), [...one.repos]).map(({ inputs, before }) =>
        before === undefined ? uids(inputs) : `${uids(inputs)} after ${uids(before)}`,
      );
      assert.deepEqual(sets, one.sets);
    });
  }
});
