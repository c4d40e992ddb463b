import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { CommitName } from "../model/commit.ts";
import { decodeTreeRef } from "../storage/index.ts";
import { openTestPfs, type Files, type TestPfs } from "./testing/open-test-pfs.ts";

const head: CommitName = { repo: "r", id: "master" };
const paths = ["a", "a/b", "a/b/c", "a.b", "d", "d/e", "f"];

const write: fc.Arbitrary<Write> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("put" as const),
      path: fc.constantFrom(...paths),
      word: fc.constantFrom("", "x\n", "y", "zz\n"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("overwrite" as const),
      path: fc.constantFrom(...paths),
      word: fc.constantFrom("", "x\n", "w"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("delete" as const),
      path: fc.constantFrom("", ...paths),
    }),
  },
);
const deed: fc.Arbitrary<Write | { readonly do: "finish" } | { readonly do: "cancel" }> = fc.oneof(
  { weight: 5, arbitrary: write },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom("finish" as const, "cancel" as const) }),
  },
);
type Write =
  | { readonly do: "put" | "overwrite"; readonly path: string; readonly word: string }
  | { readonly do: "delete"; readonly path: string };

/** Files as a plain map; `null` is a directory. */
class Model {
  files = new Map<string, string | null>();

  /** Does a write; false when it would make a path both file and directory. */
  does(deed: Write): boolean {
    if (deed.do === "delete") {
      for (const path of this.files.keys())
        if (deed.path === "" || path === deed.path || path.startsWith(`${deed.path}/`))
          this.files.delete(path);
      return true;
    }
    const parts = deed.path.split("/");
    const above = parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("/"));
    if (this.files.get(deed.path) === null) return false;
    if (above.some((path) => typeof this.files.get(path) === "string")) return false;
    for (const path of above) this.files.set(path, null);
    const before = deed.do === "overwrite" ? "" : (this.files.get(deed.path) ?? "");
    this.files.set(deed.path, before + deed.word);
    return true;
  }

  copy(): Model {
    const model = new Model();
    model.files = new Map(this.files);
    return model;
  }

  shown(): Files {
    return Object.fromEntries(this.files);
  }
}

async function perform(pfs: TestPfs, deed: Write): Promise<boolean> {
  try {
    if (deed.do === "delete") await pfs.delete(head, deed.path);
    else await pfs.put(head, deed.path, deed.word, deed.do === "overwrite");
    return true;
  } catch (error) {
    assert.match((error as Error).message, /^file type conflict/);
    return false;
  }
}

function sortedFiles(files: Files): [string, string | null][] {
  return Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
}

describe("pfs as a whole", () => {
  it("any puts, overwrites, deletes, finishes and cancels give what a plain map gives", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { maxLength: 25 }), async (deeds) => {
        const pfs = openTestPfs({ after: () => undefined });
        await pfs.repo("r");
        await pfs.start("r");
        const commits: Model[] = [];
        let kept = new Model();
        let open = kept.copy();
        for (const deed of deeds) {
          if (deed.do === "finish" || deed.do === "cancel") {
            commits.push(open);
            if (deed.do === "finish") {
              await pfs.finish(head);
              kept = open;
            } else await pfs.cancel(head);
            open = kept.copy();
            await pfs.start("r");
          } else assert.equal(await perform(pfs, deed), open.does(deed), JSON.stringify(deed));
        }
        commits.push(open);
        for (const [number, model] of commits.entries()) {
          const files = await pfs.files({ repo: "r", id: `master/${number}` });
          assert.deepEqual(sortedFiles(files), sortedFiles(model.shown()));
        }
        await pfs.close();
      }),
      { numRuns: 60 },
    );
  });

  it("the same writes give the same root digest, however they are ordered and grouped", async () => {
    const put = fc.record({
      path: fc.constantFrom("a", "b", "d/e", "d/f/g", "h"),
      word: fc.constantFrom("x\n", "yy\n", ""),
    });
    const groups = fc.record({
      puts: fc.array(put, { minLength: 1, maxLength: 12 }),
      seed: fc.nat(),
      cuts: fc.array(fc.constantFrom("put", "commit", "same"), { minLength: 12, maxLength: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(groups, async ({ puts, seed, cuts }) => {
        const pfs = openTestPfs({ after: () => undefined });
        await pfs.repo("r");
        await pfs.start("r", "one");
        await pfs.putAll({ repo: "r", id: "one" }, puts.map(fileOf));
        await pfs.finish({ repo: "r", id: "one" });
        await pfs.start("r");
        let group: typeof puts = [];
        const flush = async (): Promise<void> => {
          if (group.length > 0) await pfs.putAll(head, group.map(fileOf));
          group = [];
        };
        for (const [i, one] of shuffledAcrossPaths(puts, seed).entries()) {
          group.push(one);
          if (cuts[i] !== "same") await flush();
          if (cuts[i] === "commit") {
            await pfs.finish(head);
            await pfs.start("r");
          }
        }
        await flush();
        await pfs.finish(head);
        assert.equal(await digestOf(pfs, "master"), await digestOf(pfs, "one"));
        await pfs.close();
      }),
      { numRuns: 40 },
    );
  });
});

function fileOf({ path, word }: { path: string; word: string }) {
  return { path, overwrite: false, content: Buffer.from(word) };
}

/** Another order of the same puts, in which those to one path keep theirs. */
function shuffledAcrossPaths<T extends { path: string }>(puts: readonly T[], seed: number): T[] {
  const queues = new Map<string, T[]>();
  for (const put of puts) queues.set(put.path, [...(queues.get(put.path) ?? []), put]);
  const shuffled: T[] = [];
  for (let turn = seed; shuffled.length < puts.length; turn = (turn * 31 + 7) % 1_000_003) {
    const waiting = [...queues.values()].filter((queue) => queue.length > 0);
    shuffled.push(waiting[turn % waiting.length]!.shift()!);
  }
  return shuffled;
}

async function digestOf(pfs: TestPfs, id: string): Promise<string> {
  const { root } = await pfs.deps.metadata.call("findCommit", { repo: "r", id });
  return decodeTreeRef(root!).digest.toString("hex");
}
