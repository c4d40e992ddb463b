import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Bed, Row } from "./bench.ts";
import { receive } from "./http.ts";
import { writeSmallFiles } from "./inputs.ts";
import { race } from "./measure.ts";
import { copy, runOk } from "./programs.ts";

/** Many small files by `put-file -r` in one commit, and out as a tar: beside `cp -r` and `tar`. */
export async function* manyFiles(bed: Bed): AsyncGenerator<Row, void, void> {
  const count = bed.full ? 100_000 : 20_000;
  const files = join(bed.folder, "files");
  const copied = join(bed.folder, "copied");
  await bed.client.repos.create("many");
  const times = await race({
    rounds: bed.full ? 3 : 2,
    async prepare() {
      rmSync(files, { recursive: true, force: true });
      rmSync(copied, { recursive: true, force: true });
      writeSmallFiles(files, count);
      await runOk("sync", ["-f", files]);
    },
    runners: {
      put: (round) =>
        bed.daemon.ok(["put-file", "many", `b${round}`, "files", "-c", "-r", "-f", files]),
      copy: () => copy(files, copied, true),
      get: (round) =>
        receive(`http://${bed.daemon.address}/api/v1/repos/many/commits/b${round}/tar/files`),
      tar: () => runOk("sh", ["-c", 'tar -cf - "$0" | cat >/dev/null', files]),
    },
  });
  const inSeconds = (values: readonly number[]): number[] => values.map((ms) => ms / 1_000);
  yield {
    what: `put-file -r of ${count} files of 4 KiB`,
    unit: "s",
    values: inSeconds(times.put),
    peer: { what: "cp -r + sync", values: inSeconds(times.copy) },
  };
  yield {
    what: `${count} files of 4 KiB out as a tar`,
    unit: "s",
    values: inSeconds(times.get),
    peer: { what: "tar", values: inSeconds(times.tar) },
  };
}
