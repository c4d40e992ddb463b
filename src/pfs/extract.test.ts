// Goal: what was extracted and restored is what was there, to the bit; what is not whole is not restored at all.
// Method: random histories, extracted out of one store, restored into another and extracted out of that one
// again; streams that are cut, changed or joined anywhere.
import { strict as assert } from "node:assert";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { isCoded } from "../base/errors.ts";
import { localPrincipal } from "../model/principal.ts";
import { archiveCommits } from "./archive-commits.ts";
import { Blocks } from "./blocks.ts";
import { createRepo, deleteRepo } from "./repos.ts";
import { contentsOf, extracted, restored, rewritten } from "./testing/extracted.ts";
import { listed, never, openTestPfs, TestPfs } from "./testing/open-test-pfs.ts";
import { visible } from "./testing/visible.ts";

type Step =
  | {
      readonly do: "put";
      readonly path: string;
      readonly bytes: number;
      readonly overwrite: boolean;
    }
  | { readonly do: "delete"; readonly path: string }
  | { readonly do: "finish" | "cancel"; readonly branch: string }
  | { readonly do: "derive" | "archive" };

const path = fc.constantFrom("a", "a/b", "dir/x.json", "dir/y.bin", "c d");
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("put" as const),
    path,
    bytes: fc.constantFrom(0, 1, 5_000, 140_000, 400_000),
    overwrite: fc.boolean(),
  }),
  fc.record({ do: fc.constant("delete" as const), path }),
  fc.record({
    do: fc.constantFrom("finish" as const, "cancel" as const),
    branch: fc.constantFrom("master", "other"),
  }),
  fc.record({ do: fc.constantFrom("derive" as const, "archive" as const) }),
);

/** A history of two repos, one made from the other; refusals are part of it. */
async function live(pfs: TestPfs, steps: readonly Step[]): Promise<void> {
  await pfs.repo("data");
  await pfs.repo("made", "data");
  let commit = { repo: "data", id: await pfs.start("data") };
  let last: string | undefined;
  const unlessRefused = async (work: Promise<unknown>): Promise<void> => {
    await work.catch((error: unknown) => {
      if (!isCoded(error, "failed_precondition")) throw error;
    });
  };
  for (const [number, one] of steps.entries()) {
    if (one.do === "put") {
      const line = `${number} ${one.bytes % 7}\n`;
      const text = line.repeat(Math.ceil(one.bytes / line.length)).slice(0, one.bytes);
      await unlessRefused(pfs.put(commit, one.path, text, one.overwrite));
    } else if (one.do === "delete") await unlessRefused(pfs.delete(commit, one.path));
    else if (one.do === "finish" || one.do === "cancel") {
      if (one.do === "finish") await unlessRefused(pfs.finish(commit));
      else await pfs.cancel(commit);
      if (one.do === "finish") last = commit.id;
      commit = { repo: "data", id: await pfs.start("data", one.branch) };
    } else if (last !== undefined) {
      const provenance = [{ repo: "data", id: last }];
      if (one.do === "derive") await pfs.commit("made", { sum: `${number}` }, { provenance });
      else await archiveCommits(pfs.deps, localPrincipal, provenance);
    }
  }
}

test("extract() then restore() gives the same again, whatever was done", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 25 }),
      fc.constantFrom(1, 7, 65_536),
      async (steps, sliceBytes) => {
        const [from, into] = [new TestPfs(1), new TestPfs(2)];
        try {
          await live(from, steps);
          const stream = await extracted(from);
          const report = await restored(into, stream, { sliceBytes });
          const before = await visible(from);
          const after = await visible(into);
          assert.deepEqual(after.repos, before.repos);
          // A commit that was cancelled while the one it continued was open has gone.
          for (const [name, commit] of Object.entries(after.commits))
            assert.deepEqual(commit, before.commits[name]);
          const finished = Object.values(before.commits).filter(({ files }) => files !== undefined);
          assert.ok(Object.keys(after.commits).length >= finished.length);
          assert.equal(report.commits, Object.keys(after.commits).length);
          const [first, second] = [
            await contentsOf(stream),
            await contentsOf(await extracted(into)),
          ];
          assert.equal(new Set(first.chunks).size, first.chunks.length, "a chunk came twice");
          if (finished.length === Object.keys(before.commits).length) {
            assert.deepEqual(second.records.slice(1), first.records.slice(1));
            assert.deepEqual(second.chunks, first.chunks);
          }
        } finally {
          await from.close();
          await into.close();
        }
      },
    ),
    { numRuns: 20 },
  );
});

async function openFilled(t: TestContext): Promise<TestPfs> {
  const pfs = openTestPfs(t);
  await pfs.repo("data");
  await pfs.repo("made", "data");
  const id = await pfs.commit("data", { f: "one\n".repeat(50_000), "dir/g.bin": "two" });
  await pfs.commit("made", { f: "three" }, { provenance: [{ repo: "data", id }] });
  return pfs;
}

test("restore() restores nothing of a stream that is cut off or changed anywhere", async (t) => {
  const stream = await extracted(await openFilled(t));
  const into = openTestPfs(t, { seed: 2 });
  const isRefused = async (bytes: Buffer, what: string): Promise<void> => {
    await assert.rejects(
      restored(into, bytes),
      (error) =>
        isCoded(error, "invalid_argument") && error.message.includes("Nothing was restored"),
      what,
    );
    assert.deepEqual((await visible(into)).repos, [], what);
  };
  for (
    let length = 0;
    length < stream.length;
    length += length < 200 || stream.length - length < 60 ? 3 : 197
  )
    await isRefused(stream.subarray(0, length), `cut at ${length}`);
  for (let at = 0; at < stream.length; at += 131) {
    const changed = Buffer.from(stream);
    changed[at]! ^= 1 << (at % 8);
    await isRefused(changed, `bit changed at ${at}`);
  }
  await isRefused(Buffer.concat([stream, Buffer.from("x")]), "something follows");
  await isRefused(Buffer.concat([stream, stream]), "twice");
  await restored(into, stream);
});

test("restore() refuses numbers that a store could not go on behind", async (t) => {
  const from = await openFilled(t);
  const stream = await extracted(from);
  const into = openTestPfs(t, { seed: 2 });
  await into.repo("mine");
  const max = Number.MAX_SAFE_INTEGER;
  for (const fields of [
    { finishNumber: max },
    { number: max },
    { sizeBytes: max },
    { finishedMicros: max },
    { sizeBytes: 2 ** 52 },
  ]) {
    const changed = await rewritten(from, stream, (record) =>
      record["kind"] === "commit" ? { ...record, ...fields } : record,
    );
    await assert.rejects(restored(into, changed), {
      code: "invalid_argument",
      message: /stream is damaged.*Nothing was restored/,
    });
    await into.commit("mine", { f: "mine" });
  }
  await restored(into, stream);
});

test("restore() refuses before it reads content when a repo or pipeline is there", async (t) => {
  const stream = await extracted(await openFilled(t));
  const into = openTestPfs(t, { seed: 2 });
  await into.repo("made");
  await into.commit("made", { mine: "mine" });
  const before = await visible(into);
  // Cut off behind the first records: what comes later is not asked for.
  const head = stream.subarray(0, 600);
  await assert.rejects(
    restored(into, head),
    (error) =>
      isCoded(error, "already_exists") && /repo made exists.*delete-repo made/.test(error.message),
  );
  assert.deepEqual(await visible(into), before);
});

test("restore() puts an extract behind what is there, and goes on from it", async (t) => {
  const stream = await extracted(await openFilled(t));
  const into = openTestPfs(t, { seed: 2 });
  await into.repo("mine");
  await into.commit("mine", { f: "mine" });
  const report = await restored(into, stream);
  assert.deepEqual(report.repos, ["data", "made"]);
  assert.equal(await into.get({ repo: "mine", id: "master" }, "f"), "mine");
  assert.equal(await into.commit("data", { f: "four" }), "master/1");
  assert.match(await into.get({ repo: "data", id: "master" }, "f"), /^one\n(one\n)+four$/);
});

test("restore() repeated with the same key answers the same and does nothing", async (t) => {
  const stream = await extracted(await openFilled(t));
  const into = openTestPfs(t, { seed: 2 });
  const first = await restored(into, stream, { key: "k" });
  assert.deepEqual(await restored(into, stream, { key: "k" }), first);
  await assert.rejects(restored(into, stream, { key: "other" }), /exists/);
});

test("extract() of a repo has what it is made from, and nothing else", async (t) => {
  const pfs = await openFilled(t);
  await pfs.repo("else");
  const names = async (repos: string[]): Promise<unknown> => {
    const { records } = await contentsOf(await extracted(pfs, repos));
    return records.filter(({ kind }) => kind === "repo").map(({ name }) => name);
  };
  assert.deepEqual(await names(["made"]), ["data", "made"]);
  assert.deepEqual(await names(["data"]), ["data"]);
  await assert.rejects(names(["none"]), (error) => isCoded(error, "not_found"));
});

test("extract() shows one moment, and fails when a repo goes meanwhile", async (t) => {
  const pfs = await openFilled(t);
  const { extract } = await import("./extract.ts");
  const options = { repos: null, release: "test", signal: never };
  const slowly = async (meanwhile: () => Promise<unknown>): Promise<Buffer> => {
    const parts: Buffer[] = [];
    for await (const part of extract(pfs.deps, localPrincipal, options)) {
      if (parts.push(Buffer.from(part)) === 2) await meanwhile();
    }
    return Buffer.concat(parts);
  };
  const stream = await slowly(async () => {
    await pfs.commit("data", { late: "late" });
    await createRepo(pfs.deps, localPrincipal, { name: "late", provenance: [] });
  });
  const { records } = await contentsOf(stream);
  assert.deepEqual(
    records.filter(({ kind }) => kind === "commit").map(({ repo, number }) => [repo, number]),
    [
      ["data", 0],
      ["made", 0],
    ],
  );
  assert.ok(!records.some(({ name }) => name === "late"));
  await assert.rejects(
    slowly(async () => await deleteRepo(pfs.deps, localPrincipal, { name: "made", force: true })),
    (error) => isCoded(error, "aborted") && error.message.includes("repo made was deleted"),
  );
});

test("blocks put by themselves are extracted with everything", async (t) => {
  const pfs = openTestPfs(t);
  const [put] = await new Blocks(pfs.deps).put(localPrincipal, {
    content: listed([Buffer.from("a block\n")]),
    format: "line",
    signal: never,
  });
  const into = openTestPfs(t, { seed: 2 });
  await restored(into, await extracted(pfs));
  const block = await new Blocks(into.deps).open(localPrincipal, put!.id);
  const parts: Buffer[] = [];
  for await (const part of block.read({ start: 0, end: block.bytes }, never)) parts.push(part);
  assert.equal(Buffer.concat(parts).toString(), "a block\n");
});
