import type { Bed, Row } from "./bench.ts";
import { eachMs } from "./measure.ts";

const line = Buffer.from("apple 4\n");

/**
 * Whether the ten-thousandth costs what the first did: commits of one branch, one after the other, and
 * appends to one file of one commit.
 */
export async function* flat({ client, full }: Bed): AsyncGenerator<Row, void, void> {
  const count = full ? 10_000 : 2_000;
  await client.repos.create("commits");
  const inSteps = async (): Promise<void> => {
    const commit = await client.commits.start("commits", "master");
    await client.files.put(commit, "sales", line);
    await client.commits.finish(commit);
  };
  yield firstAndLast(`commit ${count} of a branch`, await eachMs(count, inSteps));
  await client.repos.create("appends");
  const commit = await client.commits.start("appends", "master");
  const append = async (): Promise<void> => {
    await client.files.put(commit, "sales", line);
  };
  yield firstAndLast(`append ${count} to a file`, await eachMs(count, append));
  yield {
    what: `finish of a commit of ${count} appends`,
    unit: "ms",
    values: await eachMs(1, async () => {
      await client.commits.finish(commit);
    }),
  };
}

/** The last tenth beside the first, which comes after a short warm-up. */
function firstAndLast(what: string, times: readonly number[]): Row {
  const tenth = times.length / 10;
  const warm = Math.min(200, tenth);
  return {
    what,
    unit: "ms",
    values: times.slice(-tenth),
    peer: { what: "one of the first tenth", values: times.slice(warm, warm + tenth) },
  };
}
