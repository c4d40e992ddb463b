import { join } from "node:path";
import type { Bed, Row } from "./bench.ts";
import { receive } from "./http.ts";
import { randomBytes, writeSlices } from "./inputs.ts";
import { msOf, quantile } from "./measure.ts";

/** A small request while a large put is on its way, beside the same request on an idle daemon. */
export async function* besideAPut(bed: Bed): AsyncGenerator<Row, void, void> {
  const bytes = bed.sizeBytes ?? (bed.full ? 2 ** 32 : 1 << 29);
  await bed.client.repos.create("small");
  await bed.client.repos.create("large");
  for (let count = 0; count < 10; count++)
    await bed.client.files.putCommit({ repo: "small", branch: "master" }, `f${count}`, "apple 4\n");
  const file = join(bed.folder, "large");
  await writeSlices(file, randomBytes(bytes));
  const api = `http://${bed.daemon.address}/api/v1/repos`;
  const list = (): Promise<number> => receive(`${api}/small/commits/master/list/`);
  let isOver = false;
  const listing = async (while_: () => boolean): Promise<number[]> => {
    const times: number[] = [];
    while (while_()) {
      times.push(await msOf(list));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return times;
  };
  let idleLeft = 200;
  const idle = await listing(() => idleLeft-- > 0);
  const [busy] = await Promise.all([
    listing(() => !isOver),
    // By a program of its own: bytes sent from here would hold up what is measured here.
    bed.daemon.ok(["put-file", "large", "master", "f", "-c", "-f", file]).finally(() => {
      isOver = true;
    }),
  ]);
  for (const [name, share] of [
    ["p50", 0.5],
    ["p99", 0.99],
  ] as const)
    yield {
      what: `list of a small repo during a put of ${bytes / 2 ** 20} MiB, ${name}`,
      unit: "ms",
      values: [quantile(busy, share)],
      peer: { what: "the same, nothing else going on", values: [quantile(idle, share)] },
    };
}
