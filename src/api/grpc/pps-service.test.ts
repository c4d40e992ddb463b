// Goal: pipelines and jobs as clients of the 1.2 series expect them, field by field and text by text.
import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { API as Pfs } from "./gen/pfs_pb.ts";
import {
  API as Pps,
  ChunkState,
  Incremental,
  JobState,
  Partition,
  PipelineState,
  PodState,
} from "./gen/pps_pb.ts";
import { openTestGrpc, type TestGrpc } from "./testing/open-test-grpc.ts";
import { refusalOf, wireCommit } from "./testing/wire.ts";

const m = Pps.method;

async function openPipeline(t: Parameters<typeof openTestGrpc>[0]): Promise<TestGrpc> {
  const daemon = await openTestGrpc(t);
  await daemon.pfs.repo("a");
  await daemon.client.one(m.createPipeline, {
    pipeline: { name: "p" },
    transform: { cmd: ["sh"], stdin: ["cat"], env: { my_var: "x" }, acceptReturnCode: [3n] },
    inputs: [{ repo: { name: "a" } }],
    parallelismSpec: { constant: 1n },
  });
  return daemon;
}

describe("pipelines over gRPC", () => {
  it("have every field set that clients look into", async (t) => {
    const { client } = await openPipeline(t);
    const info = await client.one(m.inspectPipeline, { pipeline: { name: "p" } });
    assert.equal(info.pipeline?.name, "p");
    assert.deepEqual(info.transform?.stdin, ["cat"]);
    assert.deepEqual(info.transform.env, { my_var: "x" });
    assert.deepEqual(info.transform.acceptReturnCode, [3n]);
    const [input] = info.inputs;
    assert.equal(input?.method?.partition, Partition.BLOCK);
    assert.equal(input.method.incremental, Incremental.DIFF);
    assert.equal(info.outputRepo?.name, "p");
    assert.equal(info.state, PipelineState.PIPELINE_RUNNING);
    assert.equal(info.parallelismSpec?.constant, 1n);
    assert.ok(info.createdAt !== undefined);
    const { pipelineInfo } = await client.one(m.listPipeline, {});
    assert.equal(pipelineInfo.length, 1);
  });

  it("take methods and parallelism as they are given", async (t) => {
    const { client } = await openPipeline(t);
    await client.one(m.createPipeline, {
      pipeline: { name: "q" },
      transform: { cmd: ["true"] },
      inputs: [{ repo: { name: "a" }, method: { partition: Partition.FILE, incremental: 2 } }],
      parallelismSpec: { strategy: 1, coefficient: 2.5 },
    });
    const info = await client.one(m.inspectPipeline, { pipeline: { name: "q" } });
    assert.equal(info.parallelismSpec?.coefficient, 2.5);
    assert.equal(info.inputs[0]?.method?.partition, Partition.FILE);
    assert.equal(info.inputs[0].method.incremental, Incremental.FULL);
  });

  it("are refused in the words of the 1.2 series", async (t) => {
    const { client } = await openPipeline(t);
    const create = async (name: string, ...repos: string[]): Promise<string> =>
      await refusalOf(
        client.one(m.createPipeline, {
          pipeline: { name },
          transform: { cmd: ["true"] },
          inputs: repos.map((repo) => ({ repo: { name: repo } })),
        }),
      );
    assert.equal(await create("p", "a"), "pipeline p already exists");
    assert.equal(await create("a"), "repo a exists");
    assert.equal(await create("q", "nope"), "repo nope not found");
    assert.equal(
      await create("q", "a", "a"),
      "pachyderm.ppsclient.pipelineserver: duplicate input repos",
    );
    assert.equal(
      await create("a-b", "a"),
      "repo name (a-b) invalid: only alphanumeric and underscore characters allowed",
    );
    assert.equal(
      await refusalOf(client.one(m.createPipeline, {})),
      "pachyderm.ppsclient.pipelineserver: request.Pipeline cannot be nil",
    );
    assert.equal(
      await refusalOf(client.one(m.inspectPipeline, { pipeline: { name: "q" } })),
      "PipelineInfos q not found",
    );
  });

  it("are stopped, started, updated, and refused in the words of the 1.2 series", async (t) => {
    const daemon = await openPipeline(t);
    const { client } = daemon;
    const pipeline = { name: "p" };
    const stateOf = async (): Promise<PipelineState> =>
      (await client.one(m.inspectPipeline, { pipeline })).state;
    await client.one(m.stopPipeline, { pipeline });
    assert.equal(await stateOf(), PipelineState.PIPELINE_STOPPED);
    await daemon.pfs.commit("a", { f: "1\n" });
    await daemon.pps.settle();
    assert.deepEqual((await client.one(m.listJob, {})).jobInfo, []);
    await client.one(m.startPipeline, { pipeline });
    assert.equal(await stateOf(), PipelineState.PIPELINE_RUNNING);
    await daemon.pps.settle();
    assert.equal((await client.one(m.listJob, {})).jobInfo.length, 1);
    const update = {
      pipeline,
      transform: { cmd: ["false"] },
      inputs: [{ repo: { name: "a" } }],
      update: true,
    };
    await client.one(m.createPipeline, { ...update, noArchive: true });
    assert.equal((await client.one(m.inspectPipeline, { pipeline })).version, 1n);
    await daemon.pps.settle();
    assert.equal((await client.one(m.listJob, {})).jobInfo.length, 1);
    await client.one(m.createPipeline, update);
    await daemon.pps.settle();
    assert.equal((await client.one(m.listJob, {})).jobInfo.length, 2);
    const absent = { pipeline: { name: "nope" } };
    for (const call of [
      client.one(m.createPipeline, { ...update, ...absent }),
      client.one(m.startPipeline, absent),
      client.one(m.stopPipeline, absent),
    ])
      assert.equal(await refusalOf(call), "PipelineInfos nope not found");
  });

  it("are deleted one by one or all; their repos stay", async (t) => {
    const { client } = await openPipeline(t);
    await client.one(m.deletePipeline, { pipeline: { name: "p" } });
    await client.one(m.createPipeline, {
      pipeline: { name: "q" },
      transform: { cmd: ["true"] },
      inputs: [{ repo: { name: "a" } }],
    });
    await client.one(m.deleteAll, {});
    assert.deepEqual((await client.one(m.listPipeline, {})).pipelineInfo, []);
    assert.equal((await client.one(Pfs.method.listRepo, {})).repoInfo.length, 3);
  });
});

describe("jobs over gRPC", () => {
  it("have every field set that clients look into", async (t) => {
    const daemon = await openPipeline(t);
    const { client } = daemon;
    await daemon.pfs.commit("a", { f: "1\n" });
    await daemon.pps.settle();
    const { jobInfo } = await client.one(m.listJob, { pipeline: { name: "p" } });
    const [listed] = jobInfo;
    assert.deepEqual(listed?.chunks, []);
    const info = await client.one(m.inspectJob, { job: listed.job, blockState: true });
    assert.equal(info.state, JobState.JOB_SUCCESS);
    assert.equal(info.pipeline?.name, "p");
    assert.equal(info.inputs[0]?.commit?.id, "master/0");
    assert.equal(info.inputs[0].method?.incremental, Incremental.DIFF);
    assert.ok(info.started !== undefined && info.finished !== undefined);
    const nanos = (at: { seconds: bigint; nanos: number }): bigint =>
      at.seconds * 1_000_000_000n + BigInt(at.nanos);
    assert.ok(nanos(info.finished) > nanos(info.started));
    assert.equal(info.outputCommit?.repo?.name, "p");
    const [chunk] = info.chunks;
    assert.equal(chunk?.state, ChunkState.CHUNK_SUCCESS);
    assert.equal(chunk.pods[0]?.state, PodState.POD_SUCCESS);
    assert.equal(chunk.pods[0].outputCommit?.id, info.outputCommit.id);
    const counts = (await client.one(m.inspectPipeline, { pipeline: { name: "p" } })).jobCounts;
    assert.deepEqual(counts, { [JobState.JOB_SUCCESS]: 1 });
    const given = await client.one(m.listJob, { inputCommit: [wireCommit("a")] });
    assert.equal(given.jobInfo.length, 1);
    const { commitInfo } = await client.one(Pfs.method.flushCommit, { commit: [wireCommit("a")] });
    assert.deepEqual(
      commitInfo.map(({ commit }) => commit?.repo?.name),
      ["a", "p"],
    );
  });

  it("that ran nothing have no end and no logs", async (t) => {
    const daemon = await openPipeline(t);
    await daemon.pfs.commit("a");
    await daemon.pps.settle();
    const [job] = (await daemon.client.one(m.listJob, {})).jobInfo;
    assert.equal(job?.state, JobState.JOB_EMPTY);
    assert.equal(job.finished, undefined);
    assert.equal(
      await refusalOf(daemon.client.all(m.getLogs, [{ job: job.job! }])),
      `job ${job.job?.id} not found`,
    );
  });

  it("are created by hand: of a pipeline with its own inputs, of none, after a parent", async (t) => {
    const daemon = await openPipeline(t);
    const { client } = daemon;
    await daemon.pfs.commit("a", { f: "1\n" });
    await daemon.pps.settle();
    const inputs = [{ commit: wireCommit("a") }];
    const transform = { cmd: ["true"] };
    const run = await client.one(m.createJob, { pipeline: { name: "p" }, force: true });
    const loose = await client.one(m.createJob, { transform, inputs });
    await daemon.pps.settle();
    const child = await client.one(m.createJob, { transform, inputs, parentJob: loose });
    await daemon.pps.settle();
    const [ranInfo, looseInfo, childInfo] = await Promise.all(
      [run, loose, child].map(async (job) => await client.one(m.inspectJob, { job })),
    );
    assert.equal(ranInfo?.inputs[0]?.commit?.id, "master/0");
    assert.equal(ranInfo.outputCommit?.repo?.name, "p");
    assert.equal(looseInfo?.pipeline?.name, "");
    assert.equal(looseInfo.outputCommit?.repo?.name, `job_${loose.id}`);
    assert.equal(childInfo?.parentJob?.id, loose.id);
    assert.equal(childInfo.outputCommit?.repo?.name, `job_${loose.id}`);
    const other = { commit: { repo: { name: "p" }, id: ranInfo.outputCommit.id } };
    assert.equal(
      await refusalOf(client.one(m.createJob, { transform, inputs: [...inputs, ...inputs] })),
      "pachyderm.ppsclient.jobserver: duplicate repo in job",
    );
    assert.equal(
      await refusalOf(client.one(m.createJob, { transform, inputs: [other], parentJob: loose })),
      `job does not have the same set of inputs as its parent ${loose.id}`,
    );
    assert.equal(
      await refusalOf(client.one(m.createJob, { pipeline: { name: "q" }, inputs })),
      "PipelineInfos q not found",
    );
    const absent = [{ commit: { repo: { name: "nope" }, id: "master/0" } }];
    assert.match(
      await refusalOf(client.one(m.createJob, { transform, inputs: absent })),
      /^could not create repo job_[0-9a-f]{32}, not all provenance repos exist$/,
    );
    await daemon.pfs.repo("b");
    await daemon.pfs.commit("b", { f: "1\n" });
    assert.equal(
      await refusalOf(
        client.one(m.createJob, { pipeline: { name: "p" }, inputs: [{ commit: wireCommit("b") }] }),
      ),
      "cannot use b/master/0 as provenance, b is not provenance of p",
    );
  });

  it("that are not there are refused in the words of the 1.2 series", async (t) => {
    const { client } = await openPipeline(t);
    assert.equal(
      await refusalOf(client.one(m.inspectJob, { job: { id: "nope" } })),
      "JobInfos nope not found",
    );
    assert.equal(
      await refusalOf(client.all(m.getLogs, [{ job: { id: "nope" } }])),
      "job nope not found",
    );
  });
});
