import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseDescriptor, type Descriptor } from "../model/job-descriptor.ts";
import { isRepoName } from "../model/repo.ts";
import { orderJobs } from "./order-jobs.ts";
import { outputRepoOf } from "./output-repo.ts";

/** Jobs by name, each reading a directory or another job. */
function jobsOf(inputs: Readonly<Record<string, string>>): Map<string, Descriptor> {
  return new Map(
    Object.entries(inputs).map(([name, input]) => [
      name,
      parseDescriptor(name, { type: "map", input, command: "x" }),
    ]),
  );
}

describe("orderJobs()", () => {
  it("gives each job after the one that it reads, for jobs without a circle", () => {
    // A job reads one of those with a smaller number, whatever the names.
    const forest = fc.array(fc.nat(), { minLength: 1, maxLength: 12 }).chain((picks) =>
      fc
        .shuffledSubarray(
          picks.map((_, i) => i),
          { minLength: picks.length },
        )
        .map((names) => ({
          picks,
          names,
        })),
    );
    fc.assert(
      fc.property(forest, ({ picks, names }) => {
        const inputs = picks.map((pick, i): [string, string] => {
          const read = pick % (i + 1);
          return [`j${names[i]}`, read === i ? "data" : `job/j${names[read]}`];
        });
        const order = orderJobs(jobsOf(Object.fromEntries(inputs)));
        assert.equal(new Set(order).size, inputs.length);
        for (const [name, input] of inputs)
          if (input !== "data")
            assert.ok(order.indexOf(input.slice(4)) < order.indexOf(name), `${input} of ${name}`);
      }),
    );
  });
  const refused: readonly (readonly [Record<string, string>, string])[] = [
    [{ a: "job/a" }, "job/a reads job/a"],
    [{ a: "job/b", b: "job/c", c: "job/b" }, "job/b reads job/c reads job/b"],
    [{ a: "d", b: "job/a", c: "job/e", e: "job/c" }, "job/c reads job/e reads job/c"],
    [{ a: "job/z" }, "job/a reads job/z, which is not there"],
  ];
  for (const [inputs, said] of refused) {
    it(`refuses a run in which ${said}`, () => {
      assert.throws(
        () => orderJobs(jobsOf(inputs)),
        (error: Error) => error.message.startsWith(`Cannot run the jobs: ${said}`),
      );
    });
  }
});

describe("outputRepoOf()", () => {
  const directory = { kind: "directory", path: "x" } as const;

  it("tells repo, branch, job and the job that is read", () => {
    assert.equal(
      outputRepoOf("data", "master", { name: "count", source: directory }),
      "data_master_count",
    );
    const source = { kind: "job", name: "count" } as const;
    assert.equal(
      outputRepoOf("data", "master", { name: "sums", source }),
      "data_master_sums_of_count",
    );
  });
  it("is another one for each, and a name that a repo can have", () => {
    const part = fc.string({
      unit: fc.constantFrom("a", "_", "-", ".", "é"),
      minLength: 1,
      maxLength: 90,
    });
    const key = fc.tuple(part, part, part, fc.option(part));
    const of = ([repo, branch, name, read]: [string, string, string, string | null]): string =>
      outputRepoOf(repo, branch, {
        name,
        source: read === null ? directory : { kind: "job", name: read },
      });
    fc.assert(
      fc.property(key, key, (a, b) => {
        assert.ok(isRepoName(of(a)));
        assert.equal(of(a) === of(b), JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });
});
