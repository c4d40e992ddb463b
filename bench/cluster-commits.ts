import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openClient, type Client } from "../src/client/index.ts";
import { PostgresServer, postgresPrograms } from "../src/metadata/testing/postgres-server.ts";
import { hasS3Server, S3Server, s3Keys } from "../src/objectstore/testing/s3-server.ts";
import { TestDaemon } from "../test/e2e/testing/daemon.ts";
import type { Bed, Row } from "./bench.ts";
import { send } from "./http.ts";
import { eachMs, median, msOf } from "./measure.ts";

const line = Buffer.from("apple 4\n");

/**
 * Durable commits of one line (start, put, finish) over REST, through one and two daemons on a real
 * PostgreSQL and a real S3 server of this machine. Nothing where those are not installed.
 */
export async function* clusterCommits(bed: Bed): AsyncGenerator<Row, void, void> {
  if (postgresPrograms() === undefined || !hasS3Server()) return;
  Object.assign(process.env, s3Keys);
  const root = mkdtempSync(join(tmpdir(), "mammoth-bench-"));
  const closers: (() => Promise<unknown>)[] = [];
  try {
    const postgres = await PostgresServer.open();
    closers.push(() => postgres.close());
    const s3 = await S3Server.open();
    closers.push(() => s3.close());
    await s3.newBucket("mammoth");
    const store = `s3://mammoth/store?endpoint=${encodeURIComponent(s3.endpoint)}`;
    const database = await postgres.newDatabase();
    const args = ["--database", database, "--object-store", store, "--log-level", "warn"];
    const daemons = [0, 1].map((i) => new TestDaemon(join(root, `daemon-${i}`), args));
    closers.push(() => Promise.all(daemons.map((daemon) => daemon.stop("SIGKILL"))));
    for (const daemon of daemons) await daemon.start();
    yield* measure(
      bed,
      daemons.map(({ address }) => openClient({ address })),
    );
  } finally {
    for (const close of closers.reverse()) await close();
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function* measure(
  { sink, full }: Bed,
  clients: readonly Client[],
): AsyncGenerator<Row, void, void> {
  const count = full ? 300 : 60;
  await clients[0]!.repos.create("steps");
  const inSteps = async (client: Client, branch: string): Promise<void> => {
    const commit = await client.commits.start("steps", branch);
    await client.files.put(commit, "sales", line);
    await client.commits.finish(commit);
  };
  const append = (): Promise<void> => send(`${sink.url}/append`, [line]);
  const threeAppends = async (): Promise<void> => {
    for (let request = 0; request < 3; request++) await append();
  };
  for (const client of clients) await eachMs(10, () => inSteps(client, "warm"));
  const [first] = clients as [Client];
  yield {
    what: "PostgreSQL + S3: start, put, finish",
    unit: "ms",
    values: [median(await eachMs(count, () => inSteps(first, "master")))],
    peer: {
      what: "three requests that append and sync",
      values: [median(await eachMs(count, threeAppends))],
    },
  };
  for (const [daemons, writers] of [
    [1, 1],
    [1, 16],
    [2, 16],
  ] as const) {
    const each = Math.ceil(count / writers);
    const perSecond = async (call: (writer: number) => Promise<void>): Promise<number> => {
      const all = Array.from({ length: writers }, (_, i) => eachMs(each, () => call(i)));
      return (each * writers * 1_000) / (await msOf(() => Promise.all(all)));
    };
    yield {
      what: `PostgreSQL + S3: commits, daemons: ${daemons}, clients: ${writers}`,
      unit: "1/s",
      values: [await perSecond((i) => inSteps(clients[i % daemons]!, `b${daemons}-${i}`))],
      peer: { what: "three appends and syncs", values: [await perSecond(threeAppends)] },
    };
  }
}
