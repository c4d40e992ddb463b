import { strict as assert } from "node:assert";
import { it } from "node:test";
import fc from "fast-check";
import { copyAll, openTestPps, type Program } from "./testing/open-test-pps.ts";

const day = fc.record({
  /** What the commit appends, by file; nothing makes it an empty commit. */
  files: fc.dictionary(fc.constantFrom("f", "g", "d/h"), fc.constantFrom("x\n", "yy\n", ""), {
    maxKeys: 3,
    noNullPrototype: true,
  }),
  fails: fc.boolean(),
  /** Whether all is done before the next commit. */
  settles: fc.boolean(),
});
const methods = fc.constantFrom(
  { partition: "BLOCK", incremental: "DIFF" },
  { partition: "FILE", incremental: "DIFF" },
  { partition: "FILE", incremental: "FULL" },
  { partition: "REPO", incremental: "NONE" },
);

it("whatever fails or is empty, a job that succeeds leaves all that its input has", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(day, { minLength: 1, maxLength: 6 }),
      methods,
      fc.constantFrom(1, 2),
      async (days, method, constant) => {
        const pps = openTestPps({ after: () => undefined });
        const failing = new Set(days.flatMap(({ fails }, i) => (fails ? [`master/${i}`] : [])));
        const program: Program = (task) => {
          if (failing.has(task.env["PACH_A_COMMIT_ID"]!)) throw new Error("no");
          const deeds = copyAll(task);
          // Whole files again: they replace what was copied before.
          const again = method.incremental === "FULL";
          return deeds.map((deed) => (again && "text" in deed ? { ...deed, do: "replace" } : deed));
        };
        await pps.pfs.repo("a");
        const parallelism_spec = { constant };
        await pps.pipeline("p", { a: { method } }, { program, parallelism_spec });
        for (const { files, settles } of days) {
          await pps.pfs.commit("a", files);
          if (settles) await pps.settle();
        }
        await pps.settle();
        const jobs = await pps.jobs("p");
        assert.equal(jobs.length, days.length);
        for (const [i, { state, outputCommit }] of jobs.entries()) {
          if (state === "failure") assert.ok(days[i]!.fails);
          else if (state === "success") {
            const input = await pps.pfs.files({ repo: "a", id: `master/${i}` });
            const output = await pps.pfs.files(outputCommit!);
            assert.equal(JSON.stringify(withBytes(output)), JSON.stringify(withBytes(input)));
          }
        }
        await pps.close();
      },
    ),
    { numRuns: 25 },
  );
});

/** The files that hold anything: an empty put alone makes no job. */
function withBytes(files: Record<string, string | null>): [string, string][] {
  return Object.entries(files)
    .flatMap(([path, text]): [string, string][] =>
      text === null || text === "" ? [] : [[path, text]],
    )
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
