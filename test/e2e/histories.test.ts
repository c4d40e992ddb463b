// Goal: of many writers at once, through two daemons, no append is lost, doubled or out of order.
// Method: real daemons on PostgreSQL and S3; 64 writers to one open commit, then to 16 branches; every fourth
// request is sent to both at once, with one key. The same is simulated under faults in test/sim.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { assertHistory, type Append } from "../sim/history.ts";
import type { TestDaemon } from "./testing/daemon.ts";
import { sendToAny, Cluster, whyNoSharing } from "./testing/cluster.ts";

const skip = whyNoSharing() ?? false;
const writers = 64;
const branches = 16;

test(`${writers} writers to one commit`, { skip }, async (t) => {
  const { daemons } = await Cluster.open(t, 2);
  const [a, b] = daemons as [TestDaemon, TestDaemon];
  await a.ok(["create-repo", "data"]);
  await a.ok(["start-commit", "data", "master"]);
  const commit = `/repos/data/commits/${encodeURIComponent("master/0")}`;
  const appends = await appendAll(daemons, 2, () => `${commit}/files/lines`);
  await b.ok(["finish-commit", "data", "master/0"]);
  for (const daemon of daemons) await compare(daemon, "master/0", appends);
});

test(`${writers} writers to ${branches} branches`, { skip }, async (t) => {
  const { daemons } = await Cluster.open(t, 2);
  await daemons[0]!.ok(["create-repo", "data"]);
  const appends = await appendAll(
    daemons,
    1,
    (writer) => `/repos/data/branches/${branchOf(writer)}/files/lines`,
  );
  for (const daemon of daemons)
    for (let branch = 0; branch < branches; branch++) {
      const expected = appends.filter(({ writer }) => writer % branches === branch);
      await compare(daemon, branchOf(branch), expected);
    }
  const commits = await daemons[0]!.ok(["list-commit", "data", "--raw"]);
  assert.equal(commits.trimEnd().split("\n").length, appends.length);
});

/** Every writer appends so many lines, one after the other; all at the same time. */
async function appendAll(
  daemons: readonly TestDaemon[],
  count: number,
  pathOf: (writer: number) => string,
): Promise<(Append & { writer: number })[]> {
  let events = 0;
  const appends: (Append & { writer: number })[] = [];
  const write = async (writer: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const line = `writer ${writer} line ${i}`;
      const sent = ++events;
      const first = (writer + i) % 2;
      const to = writer % 4 === 0 ? [first, 1 - first] : [first];
      const answers = await Promise.all(
        to.map((daemon) =>
          sendToAny(() => [daemons[daemon]!], pathOf(writer), {
            method: "POST",
            key: line,
            body: Buffer.from(`${line}\n`),
          }),
        ),
      );
      assert.equal(answers.at(-1), answers[0]);
      appends.push({ writer, line, sent, answered: ++events });
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  return appends;
}

function branchOf(writer: number): string {
  return `branch${writer % branches}`;
}

async function compare(
  daemon: TestDaemon,
  commit: string,
  appends: readonly Append[],
): Promise<void> {
  const answer = await daemon.fetch(
    `/repos/data/commits/${encodeURIComponent(commit)}/files/lines`,
  );
  assertHistory((await answer.text()).trimEnd().split("\n"), appends);
}
