// Goal: who waits by server-sent events is told all, once, in order, and as soon as it happens; and costs
// nothing when it is gone or slow. Method: a real port over pfs and pps in memory, read by a real client.
import assert from "node:assert/strict";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { test, type TestContext } from "node:test";
import { fastify } from "fastify";
import { systemClock, type Clock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { KiB } from "../../base/size.ts";
import type { CommitInfo } from "../../model/commit.ts";
import type { JobInfo } from "../../model/job.ts";
import { handleEvents } from "../../pps/event-loop.ts";
import { appendTaskLog } from "../../pps/logs.ts";
import { claimTasks } from "../../pps/tasks.ts";
import { never } from "../../pfs/testing/open-test-pfs.ts";
import { openTestGrpc } from "../grpc/testing/open-test-grpc.ts";
import { EventStreams, type ServerEvent } from "./event-streams.ts";
import { EventReader, type ReadEvent } from "./testing/event-reader.ts";

const commitIn = ({ data }: ReadEvent): string =>
  `${(data as CommitInfo).repo}/${(data as CommitInfo).id}`;
const stateIn = ({ data }: ReadEvent): string => (data as JobInfo).state;

test("commits as events come in the order in which they end, and go on behind the last one", async (t) => {
  const { address, pfs } = await openTestGrpc(t);
  const url = `http://${address}/api/v1/commits?include=a&include=b`;
  await pfs.repo("a");
  await pfs.repo("b");
  await pfs.repo("c");
  await pfs.commit("a");
  const early = await pfs.start("a");
  const reader = await EventReader.open(url);
  assert.deepEqual((await reader.take(1)).map(commitIn), ["a/master/0"]);
  await pfs.commit("b");
  await pfs.commit("c");
  await pfs.finish({ repo: "a", id: early });
  const [later, last] = await reader.take(2);
  assert.deepEqual([later!, last!].map(commitIn), ["b/master/0", "a/master/1"]);
  reader.leave();

  await pfs.commit("b");
  const headers = { "last-event-id": later!.id! };
  const resumed = await EventReader.open(url, { headers });
  assert.deepEqual((await resumed.take(2)).map(commitIn), ["a/master/1", "b/master/1"]);
  resumed.leave();
});

test("commits as events are all there when there are more than a page, and others between", async (t) => {
  const { address, pfs } = await openTestGrpc(t);
  for (const repo of ["a", "b"]) await pfs.repo(repo);
  for (let n = 0; n < 130; n++)
    await pfs.commit("a", {}, { branch: n % 100 === 0 ? "rare" : "common" });
  await pfs.commit("b");
  const url = `http://${address}/api/v1/commits`;
  const reader = await EventReader.open(url);
  const all = await reader.take(131);
  assert.equal(new Set(all.map(commitIn)).size, 131);
  assert.equal(commitIn(all.at(-1)!), "b/master/0");
  reader.leave();
  const rare = await EventReader.open(`${url}?exclude=a/common/127&include=a`);
  assert.deepEqual((await rare.take(2)).map(commitIn), ["a/rare/0", "a/rare/1"]);
  rare.leave();
});

test("a stream that cannot begin is refused as any request is", async (t) => {
  const { address } = await openTestGrpc(t);
  for (const [path, status, message] of [
    ["commits?include=nope", 404, /repo nope not found/],
    ["commits?type=WRITE", 400, /Cannot send open commits as events/],
    ["commits?nope=1", 400, /unknown field/],
    ["jobs/nope", 404, /job \\"nope\\" not found|job nope not found/],
    ["jobs/nope/logs", 404, /not found/],
  ] as const) {
    const reader = await EventReader.open(`http://${address}/api/v1/${path}`);
    assert.equal(reader.status, status, path);
    assert.match(await reader.rest(), message);
  }
  const headers = { "last-event-id": "x" };
  const reader = await EventReader.open(`http://${address}/api/v1/commits`, { headers });
  assert.equal(reader.status, 400);
});

test("flush as events ends with the last effect, and with an error when a job has failed", async (t) => {
  const { address, pps, pfs } = await openTestGrpc(t);
  await pfs.repo("data");
  await pps.pipeline("copy", { data: "map" });
  const id = await pfs.commit("data", { a: "a\n" });
  const flush = async (last?: string): Promise<EventReader> =>
    await EventReader.open(`http://${address}/api/v1/flush`, {
      method: "POST",
      body: JSON.stringify({ commits: [{ repo: "data", id }] }),
      headers: last === undefined ? {} : { "last-event-id": last },
    });
  const reader = await flush();
  const [given] = await reader.take(1);
  assert.equal(commitIn(given!), `data/${id}`);
  await pps.settle();
  const [effect, end, ...more] = await reader.all();
  assert.match(commitIn(effect!), /^copy\//);
  assert.deepEqual([end, more], [{ event: "end", id: undefined, data: {} }, []]);
  const resumed = await (await flush(given!.id)).all();
  assert.deepEqual(resumed, [effect, end]);
  assert.deepEqual(await (await flush(effect!.id)).all(), [end]);

  await pps.pipeline(
    "bad",
    { data: "map" },
    {
      program: () => {
        throw new Error("boom");
      },
    },
  );
  const failing = await flush();
  await pps.settle();
  const error = (await failing.all()).at(-1)!;
  assert.equal(error.event, "error");
  assert.match(
    JSON.stringify(error.data),
    /^{"error":{"code":"failed_precondition","message":"commit bad\//,
  );
});

test("a job as events shows each change until its end; a list of jobs goes on", async (t) => {
  const { address, pps, pfs } = await openTestGrpc(t);
  await pfs.repo("data");
  await pps.pipeline("copy", { data: "map" });
  const list = await EventReader.open(`http://${address}/api/v1/jobs?pipeline=copy`);
  await pfs.commit("data", { a: "a\n" });
  await handleEvents(pps.deps, never);
  await handleEvents(pps.deps, never);
  const [job] = await pps.jobs("copy");
  const reader = await EventReader.open(`http://${address}/api/v1/jobs/${job!.id}`);
  const [first] = await reader.take(1);
  assert.ok(["creating", "running"].includes(stateIn(first!)));
  await pps.settle();
  const rest = await reader.all();
  assert.equal(rest.at(-1)!.event, "end");
  assert.equal(stateIn(rest.at(-2)!), "success");
  const states: string[] = [];
  while (states.at(-1) !== "success") states.push(stateIn((await list.next())!));
  assert.deepEqual(states, [...new Set(states)], "each state once");
  await pfs.commit("data", { b: "b\n" });
  await pps.settle();
  assert.notEqual(((await list.next())!.data as JobInfo).id, job!.id);
  list.leave();
});

test("logs as events come while the job runs, and go on behind the last line", async (t) => {
  const { address, pps, pfs } = await openTestGrpc(t);
  await pfs.repo("data");
  await pps.pipeline("copy", { data: "map" });
  await pfs.commit("data", { a: "a\n" });
  await handleEvents(pps.deps, never);
  await handleEvents(pps.deps, never);
  const [assignment] = await claimTasks(pps.deps, { worker: "w", count: 1 });
  const { claim } = assignment!;
  const url = `http://${address}/api/v1/jobs/${claim.jobId}/logs`;
  const reader = await EventReader.open(url);
  await appendTaskLog(pps.deps, claim, { offset: 0, bytes: Buffer.from("one\ntw") });
  assert.deepEqual(await reader.next(), { event: "line", id: "1", data: { line: "0 | one" } });
  await appendTaskLog(pps.deps, claim, { offset: 6, bytes: Buffer.from("o\r\nthree") });
  assert.deepEqual(await reader.next(), { event: "line", id: "2", data: { line: "0 | two\r" } });
  reader.leave();
  const resumed = await EventReader.open(url, { headers: { "last-event-id": "1" } });
  await pps.run(assignment!);
  await pps.settle();
  assert.deepEqual(
    (await resumed.all()).map(({ event, data }) => [event, data]),
    [
      ["line", { line: "0 | two\r" }],
      ["line", { line: "0 | three" }],
      ["end", {}],
    ],
  );
});

test("a daemon that stops tells its readers, and does not wait for them", async (t) => {
  const daemon = await openTestGrpc(t);
  const { address } = daemon;
  const readers = [
    await EventReader.open(`http://${address}/api/v1/commits`),
    await EventReader.open(`http://${address}/api/v1/jobs`),
  ];
  const stopped = daemon.stop(AbortSignal.timeout(10_000));
  const startedMs = performance.now();
  for (const reader of readers) {
    const [error, ...more] = await reader.all();
    assert.match(JSON.stringify(error?.data), /"unavailable","message":"The daemon is stopping/);
    assert.deepEqual(more, []);
  }
  await stopped;
  assert.ok(performance.now() - startedMs < 5_000);
});

/** A server with one stream of given batches. */
async function openStream(
  t: TestContext,
  clock: Clock,
  open: (signal: AbortSignal) => AsyncGenerator<ServerEvent[], void, void>,
): Promise<string> {
  const server = fastify();
  const streams = new EventStreams({ clock, log: silentLog, stopping: never, streamsMax: 2 });
  server.get("/", async (request, reply) => await streams.send({ request, reply }, open));
  t.after(async () => await server.close());
  return await server.listen({ host: "127.0.0.1", port: 0 });
}

test("a stream that has nothing to say shows that it lives", async (t) => {
  let beats = 0;
  const said = Promise.withResolvers<void>();
  const clock: Clock = {
    ...systemClock(),
    async sleep(ms) {
      assert.equal(ms, 15_000);
      if (++beats <= 3) return;
      said.resolve();
      await new Promise(() => undefined);
    },
  };
  const url = await openStream(t, clock, async function* () {
    yield [];
    await said.promise;
    yield [{ event: "late", data: 1 }];
  });
  const reader = await EventReader.open(url);
  assert.deepEqual(
    (await reader.all()).map(({ event }) => event),
    ["late", "end"],
  );
  assert.equal(reader.comments, 3);
});

test("a slow reader holds the stream up, and misses nothing", async (t) => {
  const [count, bytes] = [300, 64 * KiB];
  let asked = 0;
  const url = await openStream(t, systemClock(), async function* () {
    for (; asked < count; asked++) yield [{ event: "big", data: `${asked}`.padEnd(bytes, ".") }];
  });
  const sent = request(url, { agent: false, headers: { accept: "text/event-stream" } }).end();
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  let before = -1;
  while (asked !== before) {
    before = asked;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.ok(asked < count / 2, `${asked} of ${count} were asked for`);
  let text = "";
  for await (const part of answer) text += String(part);
  assert.deepEqual(
    [...text.matchAll(/data: "(\d+)\./g)].map(([, n]) => Number(n)),
    Array.from({ length: count }, (_, n) => n),
  );
});

test("a reader that goes ends what was done for it", async (t) => {
  const ended = Promise.withResolvers<void>();
  const url = await openStream(t, systemClock(), async function* (signal) {
    try {
      yield [{ event: "first", data: 1 }];
      await once(signal, "abort");
    } finally {
      ended.resolve();
    }
  });
  const reader = await EventReader.open(url);
  await reader.next();
  reader.leave();
  await ended.promise;
});
