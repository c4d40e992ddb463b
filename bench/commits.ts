import type { Bed, Row } from "./bench.ts";
import { send } from "./http.ts";
import { eachMs, msOf, quantile } from "./measure.ts";

const line = Buffer.from("apple 4\n");

/** Durable commits of one line, over REST: one after the other, and by sixteen clients at once. */
export async function* commits(bed: Bed): AsyncGenerator<Row, void, void> {
  const count = bed.full ? 500 : 100;
  await bed.client.repos.create("steps");
  await bed.client.repos.create("once");
  const inSteps = async (): Promise<void> => {
    const commit = await bed.client.commits.start("steps", "master");
    await bed.client.files.put(commit, "sales", line);
    await bed.client.commits.finish(commit);
  };
  const atOnce = async (branch = "master"): Promise<void> => {
    await bed.client.files.putCommit({ repo: "once", branch }, "sales", line);
  };
  const append = (): Promise<void> => send(`${bed.sink.url}/append`, [line]);
  await eachMs(20, inSteps);
  yield* quantilesOf("commit: start, put, finish", await eachMs(count, inSteps), {
    what: "three requests that append and sync",
    values: await eachMs(count, async () => {
      for (let request = 0; request < 3; request++) await append();
    }),
  });
  yield* quantilesOf("commit: one request", await eachMs(count, () => atOnce()), {
    what: "one request that appends and syncs",
    values: await eachMs(count, append),
  });
  for (const clients of [1, 16]) {
    yield {
      what: `commits, ${clients} ${clients === 1 ? "client" : "clients, a branch each"}`,
      unit: "1/s",
      values: await perSecond(clients, count, (client) => atOnce(`b${client}`)),
      peer: { what: "append and sync", values: await perSecond(clients, count, append) },
    };
  }
}

function* quantilesOf(
  what: string,
  times: readonly number[],
  peer: { readonly what: string; readonly values: readonly number[] },
): Generator<Row, void, void> {
  for (const [name, share] of [
    ["p50", 0.5],
    ["p99", 0.99],
  ] as const)
    yield {
      what: `${what}, ${name}`,
      unit: "ms",
      values: [quantile(times, share)],
      peer: { what: peer.what, values: [quantile(peer.values, share)] },
    };
}

async function perSecond(
  clients: number,
  count: number,
  call: (client: number) => Promise<void>,
): Promise<number[]> {
  const all: number[] = [];
  for (let round = 0; round < 3; round++) {
    const each = Math.ceil(count / clients);
    const ms = await msOf(() =>
      Promise.all(Array.from({ length: clients }, (_, client) => eachMs(each, () => call(client)))),
    );
    all.push((each * clients * 1_000) / ms);
  }
  return all;
}
