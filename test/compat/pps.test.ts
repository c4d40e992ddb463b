// Goal: pipelines and jobs do what the 1.2 series says, or differ as differences.md says. test/compat/contract.tsv
// names these tests.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { API as Pps, JobState } from "../../src/api/grpc/gen/pps_pb.ts";
import { openTestGrpc, type TestGrpc } from "../../src/api/grpc/testing/open-test-grpc.ts";
import { refusalOf } from "../../src/api/grpc/testing/wire.ts";
import { localPrincipal } from "../../src/model/principal.ts";
import { inspectCommit, listCommits } from "../../src/pfs/commits.ts";
import { deleteRepo, inspectRepo } from "../../src/pfs/repos.ts";
import { never } from "../../src/pfs/testing/open-test-pfs.ts";
import { handleEvents } from "../../src/pps/event-loop.ts";
import { claimTasks } from "../../src/pps/tasks.ts";

const m = Pps.method;

/** A pipeline `p` over repo `a`. */
async function openPipeline(t: Parameters<typeof openTestGrpc>[0]): Promise<TestGrpc> {
  const daemon = await openTestGrpc(t);
  await daemon.pfs.repo("a");
  await daemon.pps.pipeline("p", { a: "map" });
  return daemon;
}

/** Handles all that is to be done short of running tasks. */
async function untilTasks({ pps }: TestGrpc): Promise<void> {
  while ((await handleEvents(pps.deps, never)) > 0);
}

test("a job's output commit has its inputs for provenance, and is open while the job runs", async (t) => {
  const daemon = await openPipeline(t);
  const { pfs, pps } = daemon;
  await pfs.commit("a", { f: "1\n" });
  await untilTasks(daemon);
  const [job] = await pps.jobs("p");
  const output = job!.outputCommit!;
  const inspect = async (): Promise<Awaited<ReturnType<typeof inspectCommit>>> =>
    await inspectCommit(pfs.deps, localPrincipal, output);
  assert.match(output.id, /^[0-9a-f]{32}\/0$/);
  const open = await inspect();
  assert.equal(open.state, "open");
  assert.deepEqual(
    open.provenance.map(({ repo, id }) => `${repo}/${id}`),
    ["a/master/0"],
  );
  await pps.settle();
  assert.equal((await inspect()).state, "finished");
});

test("a job leaves one commit, which counts once in the size of its repo", async (t) => {
  const { pfs, pps } = await openPipeline(t);
  await pfs.commit("a", { f: "12345\n", g: "1\n" });
  await pps.settle();
  const all = {
    include: [{ repo: "p" }],
    exclude: [],
    provenance: [],
    block: false,
    signal: never,
  };
  const listing = { ...all, type: "NONE", status: "ALL" } as const;
  assert.equal((await listCommits(pfs.deps, localPrincipal, listing)).length, 1);
  assert.equal((await inspectRepo(pfs.deps, localPrincipal, "p")).sizeBytes, 8);
});

test("a repo that a pipeline writes to is deleted by force alone", async (t) => {
  const { pfs } = await openPipeline(t);
  const remove = async (force: boolean): Promise<void> => {
    await deleteRepo(pfs.deps, localPrincipal, { name: "p", force });
  };
  await assert.rejects(remove(false), {
    code: "failed_precondition",
    message: /^cannot delete repo p; pipeline p writes to it/,
  });
  await remove(true);
});

test("a job is CREATING, RUNNING once a task is claimed, and SUCCESS with an end", async (t) => {
  const daemon = await openPipeline(t);
  const { client, pfs, pps } = daemon;
  await pfs.commit("a", { f: "1\n" });
  await untilTasks(daemon);
  const job = { id: (await pps.jobs("p"))[0]!.id };
  const inspect = async (): Promise<[JobState, boolean]> => {
    const { state, finished } = await client.one(m.inspectJob, { job });
    return [state, finished !== undefined];
  };
  assert.deepEqual(await inspect(), [JobState.JOB_CREATING, false]);
  const waiting = client.one(m.inspectJob, { job, blockState: true });
  const [claimed] = await claimTasks(pps.deps, { worker: "w", count: 1 });
  assert.deepEqual(await inspect(), [JobState.JOB_RUNNING, false]);
  await pps.run(claimed!);
  await pps.settle();
  assert.equal((await waiting).state, JobState.JOB_SUCCESS);
  assert.deepEqual(await inspect(), [JobState.JOB_SUCCESS, true]);
});

test("a job that fails is FAILURE with an end", async (t) => {
  const { client, pfs, pps } = await openTestGrpc(t);
  await pfs.repo("a");
  const program = (): never => {
    throw new Error("exit status 1");
  };
  await pps.pipeline("p", { a: "map" }, { program });
  await pfs.commit("a", { f: "1\n" });
  await pps.settle();
  const [job] = (await client.one(m.listJob, {})).jobInfo;
  assert.equal(job?.state, JobState.JOB_FAILURE);
  assert.ok(job.finished !== undefined);
});

test("inputs are in the order of their repos, by block and since the last job unless told otherwise", async (t) => {
  const { client, pfs, pps } = await openTestGrpc(t);
  for (const repo of ["z", "a", "k"]) await pfs.repo(repo);
  await pps.pipeline("p", { z: { runEmpty: false }, a: "global", k: { runEmpty: false } });
  for (const repo of ["z", "a", "k"]) await pfs.commit(repo, { f: "1\n" });
  await pps.settle();
  const [job] = (await client.one(m.listJob, {})).jobInfo;
  assert.deepEqual(
    job?.inputs.map(({ commit, method }) => [
      commit?.repo?.name,
      method?.partition,
      method?.incremental,
    ]),
    [
      ["a", 2, 0],
      ["k", 0, 1],
      ["z", 0, 1],
    ],
  );
});

test("a parallelism of no workers is refused when it is written", async (t) => {
  const { client, pfs } = await openTestGrpc(t);
  await pfs.repo("a");
  const creating = client.one(m.createPipeline, {
    pipeline: { name: "p" },
    transform: { cmd: ["true"] },
    inputs: [{ repo: { name: "a" } }],
    parallelismSpec: { strategy: 1, coefficient: 0 },
  });
  assert.match(await refusalOf(creating), /coefficient 0/);
});

test("a pipeline without inputs is idle, and out and prev are no names for one", async (t) => {
  const { client } = await openTestGrpc(t);
  const transform = { cmd: ["true"] };
  await client.one(m.createPipeline, { pipeline: { name: "p" }, transform });
  const info = await client.one(m.inspectPipeline, { pipeline: { name: "p" } });
  assert.equal(info.state, 0);
  assert.deepEqual(info.jobCounts, {});
  for (const name of ["out", "prev"])
    assert.match(
      await refusalOf(client.one(m.createPipeline, { pipeline: { name }, transform })),
      new RegExp(`^Cannot name a pipeline ${name}`),
    );
});

test("a list of pipelines has no counts of jobs, and a pipeline begins with version 0", async (t) => {
  const { client, pfs, pps } = await openPipeline(t);
  await pfs.commit("a", { f: "1\n" });
  await pps.settle();
  const [listed] = (await client.one(m.listPipeline, {})).pipelineInfo;
  assert.deepEqual(listed?.jobCounts, {});
  const info = await client.one(m.inspectPipeline, { pipeline: { name: "p" } });
  assert.deepEqual(info.jobCounts, { [JobState.JOB_SUCCESS]: 1 });
  assert.equal(info.version, 0n);
});

test("a pipeline that is not there is deleted with an error, and one that is takes its jobs along", async (t) => {
  const { client, pfs, pps } = await openPipeline(t);
  await pfs.commit("a", { f: "1\n" });
  await pps.settle();
  assert.equal(
    await refusalOf(client.one(m.deletePipeline, { pipeline: { name: "nope" } })),
    "PipelineInfos nope not found",
  );
  await client.one(m.deletePipeline, { pipeline: { name: "p" } });
  assert.deepEqual((await client.one(m.listJob, {})).jobInfo, []);
  assert.equal((await inspectRepo(pfs.deps, localPrincipal, "p")).sizeBytes, 2);
});
