import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { localPrincipal } from "../model/principal.ts";
import { deleteRepo, flushCommits, listRepos } from "../pfs/index.ts";
import { never } from "../pfs/testing/open-test-pfs.ts";
import { createJob } from "./create-job.ts";
import { deleteAllPipelines } from "./pipelines.ts";
import { openTestPps, type TestPps } from "./testing/open-test-pps.ts";

async function openWithData(t: Parameters<typeof openTestPps>[0]): Promise<TestPps> {
  const pps = openTestPps(t, { slots: 3 });
  await pps.pfs.repo("a");
  await pps.pfs.commit("a", { f: "1\n" });
  return pps;
}

const transform = { cmd: ["true"] };

async function create(pps: TestPps, document: unknown, key?: string): Promise<string> {
  const request = key === undefined ? { document } : { document, key };
  return (await createJob(pps.deps, localPrincipal, request)).id;
}

describe("createJob() without a pipeline", () => {
  it("writes to a repo of its own, with the inputs as provenance", async (t) => {
    const pps = await openWithData(t);
    const id = await create(pps, { transform, inputs: [{ commit: "a/master" }], parallelism: 1 });
    await pps.settle();
    const job = await pps.job(id);
    assert.deepEqual(
      [job.state, job.pipeline, job.outputCommit?.repo, job.inputs[0]?.commit],
      ["success", "", `job_${id}`, { repo: "a", id: "master/0" }],
    );
    assert.deepEqual(await pps.pfs.files(job.outputCommit!), { f: "1\n" });
    const repo = (await listRepos(pps.pfs.deps, localPrincipal, [])).find(
      ({ name }) => name === `job_${id}`,
    );
    assert.deepEqual(repo?.provenance, ["a"]);
    assert.match(job.why?.[0] ?? "", /^Somebody created it/);
  });

  it("continues its parent job, whose inputs it has", async (t) => {
    const pps = await openWithData(t);
    const inputs = [{ commit: "a/master/0" }];
    const first = await create(pps, { transform, inputs });
    await pps.pfs.commit("a", { g: "2\n" });
    const second = await create(pps, {
      transform,
      inputs: [{ commit: { repo: { name: "a" }, id: "master/1" } }],
      parent_job: { id: first },
    });
    await pps.settle();
    const job = await pps.job(second);
    assert.deepEqual(pps.seen.at(-1)?.inputs, { a: { g: "2\n" } });
    assert.deepEqual(pps.seen.at(-1)?.prev, { f: "1\n" });
    assert.equal(job.outputCommit?.repo, `job_${first}`);
    assert.match(job.outputCommit.id, /\/1$/);
  });

  it("answers a request sent again, though what it was made of is gone", async (t) => {
    const pps = await openWithData(t);
    const document = { transform, inputs: [{ commit: "a/master/0" }] };
    const id = await create(pps, document, "key");
    await pps.settle();
    await deleteRepo(pps.pfs.deps, localPrincipal, { name: "a", force: true });
    assert.equal(await create(pps, document, "key"), id);
    await assert.rejects(create(pps, document, "other"), { code: "not_found" });
  });

  it("runs one task a worker when it has no inputs", async (t) => {
    const pps = await openWithData(t);
    for (const [parallelism, tasks] of [
      [undefined, 3],
      [2, 2],
    ] as const) {
      const id = await create(pps, { transform, parallelism });
      await pps.settle();
      const job = await pps.job(id);
      assert.deepEqual([job.state, job.tasks?.length], ["success", tasks]);
    }
  });

  it("does not make flush-commit wait for what it will never make", async (t) => {
    const pps = await openWithData(t);
    await create(pps, { transform, inputs: [{ commit: "a/master/0" }] });
    await pps.settle();
    const id = await pps.pfs.commit("a", { g: "2\n" });
    const answer = await flushCommits(pps.pfs.deps, localPrincipal, {
      commits: [{ repo: "a", id }],
      toRepos: [],
      waitMs: 0,
      signal: never,
    });
    assert.equal(answer.done, true);
    await deleteAllPipelines(pps.deps, localPrincipal);
    assert.deepEqual(await pps.jobs(), []);
  });

  it("is another job each time, unless the same request comes again", async (t) => {
    const pps = await openWithData(t);
    const document = { transform, inputs: [{ commit: "a/master/0" }] };
    assert.notEqual(await create(pps, document), await create(pps, document));
    assert.equal(await create(pps, document, "k"), await create(pps, document, "k"));
    assert.equal((await pps.jobs()).length, 3);
  });

  const refused: readonly (readonly [unknown, RegExp])[] = [
    [{}, /transform: is missing, and so is a pipeline/],
    [{ transform, inputs: [{ commit: "a" }] }, /inputs\[0\].commit: expected repo\/commit/],
    [{ transform, inputs: [{ repo: "a" }] }, /unknown field "repo" in inputs\[0\]/],
    [{ transform, inputs: [{ commit: "a/master/7" }] }, /commit master\/7 not found/],
    [{ transform, parentJob: "ffff" }, /job ffff not found/],
    [{ pipeline: "nope" }, /pipeline nope not found/],
    [{ transform, inputs: [{ commit: "a/open/0" }] }, /a\/open\/0: it is open/],
  ];
  for (const [document, message] of refused) {
    it(`refuses ${JSON.stringify(document)}, and leaves nothing`, async (t) => {
      const pps = await openWithData(t);
      await pps.pfs.start("a", "open");
      await assert.rejects(create(pps, document), { message });
      assert.deepEqual(await pps.jobs(), []);
      assert.equal((await listRepos(pps.pfs.deps, localPrincipal, [])).length, 1);
    });
  }
});

describe("createJob() of a pipeline", () => {
  it("is the job there is, when the same has run; with force another one", async (t) => {
    const pps = await openWithData(t);
    await pps.pipeline("p", { a: "map" });
    await pps.settle();
    const [job] = await pps.jobs("p");
    const document = { pipeline: { name: "p" }, inputs: [{ commit: "a/master/0" }] };
    assert.equal(await create(pps, document), job!.id);
    const forced = await create(pps, { ...document, force: true });
    await pps.settle();
    assert.notEqual(forced, job!.id);
    assert.deepEqual(await pps.states("p"), ["success", "success"]);
    assert.notEqual((await pps.job(forced)).outputCommit!.id, job!.outputCommit!.id);
  });

  it("takes what is not said from the pipeline, and its newest inputs that go together", async (t) => {
    const pps = await openWithData(t);
    await pps.pfs.repo("c");
    await pps.pipeline("b", { a: "map" });
    const fields = { retries: 0, taskTimeout: "1m" };
    await pps.pipeline("p", { a: "reduce", b: "map", c: "map" }, fields);
    await assert.rejects(create(pps, { pipeline: "p" }), {
      message: /a and b and c have no finished commits that go together/,
    });
    await pps.pfs.commit("c", { c: "c\n" });
    await pps.settle();
    await pps.pfs.commit("a", { f: "2\n" });
    const id = await create(pps, { pipeline: "p", force: true, retries: 1 });
    await pps.settle();
    const job = await pps.job(id);
    // Of a/master/1 nothing has come to b yet: what goes together is a/master/0.
    assert.deepEqual(
      job.inputs.map(({ commit: { repo, id: commit } }) => (repo === "b" ? repo : commit)),
      ["master/0", "b", "master/0"],
    );
    assert.deepEqual(job.limits, { retries: 1, taskTimeoutMs: 60_000, jobTimeoutMs: 0 });
    assert.deepEqual(job.inputs[0]?.method, { partition: "FILE", incremental: "NONE" });
  });

  it("runs a pipeline without inputs, which runs in no other way", async (t) => {
    const pps = await openWithData(t);
    await pps.pipeline("p", {}, { parallelism_spec: { constant: 2 } });
    await pps.settle();
    assert.deepEqual(await pps.jobs("p"), []);
    const id = await create(pps, { pipeline: "p" });
    await pps.settle();
    assert.equal((await pps.job(id)).tasks?.length, 2);
  });
});
