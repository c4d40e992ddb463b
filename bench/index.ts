import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openClient } from "../src/client/index.ts";
import { TestDaemon } from "../test/e2e/testing/daemon.ts";
import type { Bed, Bench, Row } from "./bench.ts";
import { backupTools } from "./backup-tools.ts";
import { besideAPut } from "./beside-a-put.ts";
import { cliStart } from "./cli-start.ts";
import { commits } from "./commits.ts";
import { clusterCommits } from "./cluster-commits.ts";
import { eachTasks } from "./each-tasks.ts";
import { flat } from "./flat.ts";
import { garbage } from "./garbage.ts";
import { jobMemory } from "./job-memory.ts";
import { largeFiles } from "./large-files.ts";
import { manyFiles } from "./many-files.ts";
import { mapReduceTasks } from "./mapreduce-tasks.ts";
import { memory } from "./memory.ts";
import { metadataBytes } from "./metadata-bytes.ts";
import { noOpTasks } from "./no-op-tasks.ts";
import { mount } from "./mount.ts";
import { oneInMany } from "./one-in-many.ts";
import { pipeline } from "./pipeline.ts";
import { shuffleSort } from "./shuffle-sort.ts";
import { smallPuts } from "./small-puts.ts";
import { openSink } from "./sink.ts";
import { lineOf, tableOf } from "./table.ts";
import { webServerMap } from "./web-server-map.ts";
import { wordCount } from "./word-count.ts";

// npm run bench [-- NAME...] [-- --full] [-- --size MiB]: measures a daemon of its own, each figure
// beside a peer or a physical limit taken in the same run. Filling stores takes minutes; --full far longer.

const benches: Readonly<Record<string, Bench>> = {
  "large-files": largeFiles,
  "many-files": manyFiles,
  "small-puts": smallPuts,
  commits,
  "cluster-commits": clusterCommits,
  flat,
  "metadata-bytes": metadataBytes,
  "one-in-many": oneInMany,
  garbage,
  pipeline,
  "no-op-tasks": noOpTasks,
  mount,
  "web-server-map": webServerMap,
  "each-tasks": eachTasks,
  "backup-tools": backupTools,
  "beside-a-put": besideAPut,
  "cli-start": cliStart,
  memory,
  "shuffle-sort": shuffleSort,
  "word-count": wordCount,
  "mapreduce-tasks": mapReduceTasks,
  "job-memory": jobMemory,
};

interface Wanted {
  readonly names: readonly string[];
  readonly full: boolean;
  readonly sizeBytes: number | undefined;
}

function wantedFrom(argv: readonly string[]): Wanted {
  const { values, positionals } = parseArgs({
    args: [...argv],
    options: { full: { type: "boolean", default: false }, size: { type: "string" } },
    allowPositionals: true,
  });
  const unknown = positionals.find((name) => benches[name] === undefined);
  if (unknown !== undefined)
    throw new Error(`no bench is called ${unknown}: there are ${Object.keys(benches).join(", ")}`);
  const size = values.size === undefined ? undefined : Number(values.size);
  if (size !== undefined && !(Number.isInteger(size) && size > 0))
    throw new Error(`--size ${values.size}: give a whole number of MiB`);
  return {
    names: positionals.length === 0 ? Object.keys(benches) : positionals,
    full: values.full,
    sizeBytes: size === undefined ? undefined : size * 2 ** 20,
  };
}

/** Runs one bench on a daemon of its own. */
async function runBench(bench: Bench, wanted: Wanted): Promise<Row[]> {
  const root = mkdtempSync(join(tmpdir(), "mammoth-bench-"));
  const folder = join(root, "files");
  mkdirSync(folder);
  const daemon = new TestDaemon(join(root, "daemon"), ["--log-level", "warn"]);
  const sink = await openSink(root);
  const rows: Row[] = [];
  try {
    await daemon.start();
    const client = openClient({ address: daemon.address });
    const bed: Bed = { daemon, client, sink, folder, ...wanted };
    for await (const row of bench(bed)) {
      rows.push(row);
      console.error(lineOf(row));
    }
    client.close();
  } finally {
    await sink.close();
    await daemon.stop("SIGKILL");
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  }
  return rows;
}

async function main(argv: readonly string[]): Promise<void> {
  const wanted = wantedFrom(argv);
  const rows: Row[] = [];
  for (const name of wanted.names) rows.push(...(await runBench(benches[name]!, wanted)));
  const [cpu] = cpus();
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  console.log(
    `\n${cpus().length} x ${cpu?.model}, ${memoryGiB} GiB, Linux ${release()}, Node ${process.version}\n`,
  );
  console.log(tableOf(rows));
}

await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`npm run bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
// Sockets that are kept alive would keep it from ending.
process.exit();
