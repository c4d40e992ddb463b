import type { Bed, Row } from "./bench.ts";
import { receive, send } from "./http.ts";
import { randomBytes } from "./inputs.ts";
import { msOf, quantile } from "./measure.ts";

/** A small request while a large put is on its way, beside the same request on an idle daemon. */
export async function* besideAPut(bed: Bed): AsyncGenerator<Row, void, void> {
  const bytes = bed.sizeBytes ?? (bed.full ? 2 ** 32 : 1 << 29);
  await bed.client.repos.create("small");
  await bed.client.repos.create("large");
  for (let file = 0; file < 10; file++)
    await bed.client.files.putCommit({ repo: "small", branch: "master" }, `f${file}`, "apple 4\n");
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
    send(`${api}/large/branches/master/files/f`, randomBytes(bytes)).finally(() => {
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
