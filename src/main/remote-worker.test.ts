// Goal: a worker on another machine is served as one inside the daemon is.
// Method: the port of a daemon over pfs and pps in memory, and the client that workers use.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { openHttpServer } from "../api/index.ts";
import { CodedError } from "../base/errors.ts";
import { silentLog } from "../base/log.ts";
import { openClient, RemoteWorkerHost } from "../client/index.ts";
import { heldTaskOf, type ClaimedTask, type ViewRef } from "../model/claimed-task.ts";
import type { OutputChange } from "../model/output-change.ts";
import type { WorkerFacts } from "../model/worker.ts";
import { listed, never } from "../pfs/testing/open-test-pfs.ts";
import { openTestPps, type TestPps } from "../pps/testing/open-test-pps.ts";

const token = "a token of twenty four";
const facts: WorkerFacts = {
  id: "0".repeat(32),
  name: "far",
  machine: "m",
  version: "test",
  runner: "process",
  slots: 2,
  state: "ready",
};

interface Bench {
  readonly pps: TestPps;
  readonly host: RemoteWorkerHost;
  readonly address: string;
}

async function openBench(t: TestContext): Promise<Bench> {
  const pps = openTestPps(t);
  const server = await openHttpServer({
    pps: pps.deps,
    log: silentLog,
    version: "test",
    host: "127.0.0.1",
    port: 0,
    allowedHosts: [],
    curlRepo: "data",
    token,
    openBucket: async () => await Promise.reject(new Error("there are no buckets")),
  });
  const { address } = server;
  const host = new RemoteWorkerHost({ address, token });
  t.after(async () => {
    host.close();
    await server.close(AbortSignal.abort());
  });
  return { pps, host, address };
}

/** A pipeline with one job of one task, which sees the file f. */
async function withTask(t: TestContext): Promise<Bench & { task: ClaimedTask }> {
  const bench = await openBench(t);
  await bench.pps.pfs.repo("a");
  await bench.pps.pipeline("p", { a: "map" });
  await bench.pps.pfs.commit("a", { "dir/f": "1\n" });
  await bench.pps.events();
  return { ...bench, task: await claimOne(bench.host) };
}

async function claimOne(host: RemoteWorkerHost): Promise<ClaimedTask> {
  const tasks = await host.claim({ worker: "far", count: 2, signal: never });
  assert.equal(tasks.length, 1);
  return tasks[0]!;
}

async function textOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of source) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString();
}

function append(path: string, text: string): () => AsyncIterable<OutputChange> {
  const bytes = Buffer.from(text);
  const content = (): AsyncIterable<Uint8Array> => listed([Buffer.from(bytes)]);
  return () => listed([{ kind: "append", path, bytes: bytes.length, content }]);
}

const aborted = { code: "aborted" };

describe("RemoteWorkerHost", () => {
  it("a task is claimed, read, written, logged and reported, each of it perhaps twice", async (t) => {
    const { pps, host, address, task } = await withTask(t);
    const { view } = task.inputs[0]!;
    const files: string[] = [];
    for await (const { type, path } of host.listView(view, never)) files.push(`${type} ${path}`);
    assert.deepEqual(files, ["dir dir", "file dir/f"]);
    assert.equal(await textOf(host.readFile(view, "dir/f", never)), "1\n");
    await host.renew(task);
    await host.writeOutput(task, append("out", "lost answer"), never);
    await host.writeOutput(task, append("out", "two\n"), never);
    await host.appendLog(task, 0, Buffer.from("he"));
    await host.appendLog(task, 0, Buffer.from("hello\n"));
    await host.appendLog(task, 0, Buffer.from("hello\n"));
    await host.report(task, { kind: "success" });
    await host.report(task, { kind: "success" });
    await assert.rejects(host.report(task, { kind: "failure", error: "no" }), aborted);
    await pps.settle();
    assert.deepEqual(await pps.output("p", 0), { out: "two\n" });
    const logs = await openClient({ address, token }).jobs.logs(task.jobId);
    assert.equal(await textOf(logs), "0 | hello\n");
  });

  it("only the token of an attempt speaks for it", async (t) => {
    const { host, task } = await withTask(t);
    const stranger = { ...task, token: "f".repeat(32) };
    for (const call of [
      () => host.renew(stranger),
      () => host.writeOutput(stranger, append("x", "x"), never),
      () => host.appendLog(stranger, 0, Buffer.from("x")),
      () => host.report(stranger, { kind: "success" }),
      () => host.release(stranger),
    ])
      await assert.rejects(call(), aborted);
    await assert.rejects(host.renew({ ...task, token: "nonsense" }), { code: "invalid_argument" });
    await host.renew(task);
  });

  it("release() lets another worker take the task at once, and is no failure", async (t) => {
    const { pps, host, task } = await withTask(t);
    for (let times = 0, held = task; times < 25; times++) {
      await host.release(held);
      held = await claimOne(host);
      assert.equal(held.attempt, times + 2);
    }
    assert.equal((await pps.job(task.jobId)).state, "running");
  });

  it("a claim whose answer was lost is given back by the next, as if it had never been", async (t) => {
    const { pps, host, task } = await withTask(t);
    await host.release(task);
    const { metadata } = pps.deps.pfs;
    const call = metadata.call.bind(metadata);
    metadata.call = (async (name: "claimTasks", input: never) => {
      const answer = await call(name, input);
      if (name !== "claimTasks") return answer;
      metadata.call = call;
      throw new CodedError("unavailable", "the answer was lost");
    }) as typeof metadata.call;
    await assert.rejects(host.claim({ worker: "far", count: 1, signal: never }), {
      code: "unavailable",
    });
    assert.equal((await claimOne(host)).attempt, 2);
  });

  it("claim() waits for a task, and takes none when its caller goes away", async (t) => {
    const { pps, host, task } = await withTask(t);
    const gone = new AbortController();
    const waiting = host.claim({ worker: "far", count: 1, signal: gone.signal });
    gone.abort();
    await assert.rejects(waiting);
    const next = host.claim({ worker: "far", count: 1, signal: never });
    await pps.deps.pfs.metadata.call("releaseTask", heldTaskOf(task));
    pps.deps.pfs.hints.give("tasks");
    assert.equal((await next).length, 1);
  });

  it("keep() tells which tasks are lost; listWorkers() who is there", async (t) => {
    const { pps, host, address, task } = await withTask(t);
    const client = openClient({ address, token });
    const states = async (): Promise<string[]> =>
      (await client.workers.list()).map(
        ({ name, state, running }) => `${name} ${state} ${running}`,
      );
    assert.deepEqual(await host.keep(facts, [task.token, "f".repeat(32)]), ["f".repeat(32)]);
    assert.deepEqual(await states(), ["far ready 1"]);
    await host.keep({ ...facts, state: "draining" }, []);
    assert.deepEqual(await states(), ["far draining 1"]);
    pps.pfs.clock.advance(25_000);
    assert.deepEqual(await states(), ["far silent 1"]);
    pps.pfs.clock.advance(300_000);
    assert.deepEqual(await states(), []);
    await host.keep(facts, []);
    await host.leave(facts);
    assert.deepEqual(await states(), []);
  });

  it("a view that makes no sense is refused", async (t) => {
    const { host, address } = await openBench(t);
    const read = async (view: string): Promise<string> =>
      await textOf(host.readFile({ token: view, digest: "" } satisfies ViewRef, "f", never));
    for (const view of ["", "{}", '{"uid":"../x"}', '{"uid":1}'])
      await assert.rejects(read(view), { code: "invalid_argument" }, view);
    await assert.rejects(read(JSON.stringify({ uid: "f".repeat(32) })), { code: "not_found" });
    await assert.rejects(new RemoteWorkerHost({ address }).keep(facts, []), {
      code: "unauthenticated",
    });
  });
});
