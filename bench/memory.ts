import type { Bed, Row } from "./bench.ts";
import { receive, send } from "./http.ts";
import { randomBytes } from "./inputs.ts";
import { peakMemory } from "./programs.ts";

/** The most memory the daemon has had after a large put and get, and after one four times as large. */
export async function* memory({
  client,
  daemon,
  full,
  sizeBytes,
}: Bed): AsyncGenerator<Row, void, void> {
  const bytes = sizeBytes ?? (full ? 2 ** 30 : 2 ** 28);
  await client.repos.create("large");
  const peakAfter = async (name: string, size: number): Promise<number> => {
    const api = `http://${daemon.address}/api/v1/repos/large`;
    await send(`${api}/branches/master/files/${name}`, randomBytes(size));
    await receive(`${api}/commits/master/files/${name}`);
    return peakMemory(daemon.pid);
  };
  const first = await peakAfter("first", bytes);
  const mebibytes = bytes / 2 ** 20;
  yield {
    what: `peak memory of pachd after ${4 * mebibytes} MiB in and out`,
    unit: "MB",
    values: [await peakAfter("second", 4 * bytes)],
    peer: { what: `after ${mebibytes} MiB`, values: [first] },
  };
}
