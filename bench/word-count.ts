import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "../src/client/index.ts";
import { run } from "../test/e2e/testing/daemon.ts";
import type { Bed, Row } from "./bench.ts";
import { wordLines, writeSlices } from "./inputs.ts";
import { race } from "./measure.ts";
import { cpuOfAllMs, peakMemory, runOk } from "./programs.ts";

/** The same programs in all lanes; the shell's `sort` has the whole machine. */
const counting = { mapper: "tr -s ' ' '\\n'", reducer: "LC_ALL=C uniq -c" };
/** With a combiner counts are added up. */
const adding = {
  mapper: `${counting.mapper} | sed 's/$/\\t1/'`,
  reducer: `awk -F '\\t' '$1 != k { if (NR > 1) print n, k; k = $1; n = 0 } { n += $2 } END { if (NR > 0) print n, k }'`,
  combiner: `awk -F '\\t' -v OFS='\\t' '$1 != k { if (NR > 1) print k, n; k = $1; n = 0 } { n += $2 } END { if (NR > 0) print k, n }'`,
};

/** Word counts through a daemon beside a shell. */
export async function* wordCount({
  client,
  daemon,
  folder,
  full,
  sizeBytes,
}: Bed): AsyncGenerator<Row, void, void> {
  const bytes = sizeBytes ?? (full ? 2 ** 30 : 2 ** 26);
  const text = join(folder, "text");
  await writeSlices(text, wordLines(bytes));
  await client.repos.create("texts");
  const sent = await fetch(
    `http://${daemon.address}/api/v1/repos/texts/branches/master/files/text`,
    {
      method: "PUT",
      body: await openAsBlob(text),
    },
  );
  if (!sent.ok) throw new Error(await sent.text());
  const cpu = { ours: [] as number[], shell: [] as number[] };
  const ours = async (): Promise<void> => {
    const before = cpuOfAllMs(daemon.pid);
    const output = await mapReduce(client, "texts", counting);
    cpu.ours.push(cpuOfAllMs(daemon.pid) - before);
    const counts = await client.files.get({ repo: output, id: "master" }, "part-00000");
    await writeFile(join(folder, "ours"), counts);
  };
  const shell = async (): Promise<void> => {
    const sort = `${counting.mapper} <text | LC_ALL=C sort | ${counting.reducer} >shell; times`;
    const { code, stdout, stderr } = await run("sh", ["-c", sort], { cwd: folder });
    if (code !== 0) throw new Error(stderr);
    const children = stdout.trim().split("\n").at(-1)!.split(" ").map(msOfTimes);
    cpu.shell.push(children.reduce((sum, ms) => sum + ms, 0));
  };
  const runners = {
    ours,
    shell,
    two: () => mapReduce(client, "texts", { ...counting, partitions: 2 }),
    combined: () => mapReduce(client, "texts", adding),
  };
  const times = await race({ rounds: full ? 3 : 2, runners });
  await runOk("cmp", [join(folder, "ours"), join(folder, "shell")]);
  const what = `word count of ${Math.round(bytes / 2 ** 20)} MiB`;
  const row = (name: string, unit: "s", [values, peers]: readonly (readonly number[])[]): Row => {
    const peer = { what: `${counting.mapper} | sort | uniq -c`, values: inSeconds(peers ?? []) };
    return { what: name, unit, values: inSeconds(values ?? []), peer };
  };
  yield row(what, "s", [times.ours, times.shell]);
  yield row(`${what}: processor time`, "s", [cpu.ours, cpu.shell]);
  yield row(`${what}, two partitions`, "s", [times.two, times.shell]);
  yield row(`${what}, counting with a combiner`, "s", [times.combined, times.shell]);
  yield { what: "peak memory of pachd", unit: "MB", values: [peakMemory(daemon.pid)] };
}

let runs = 0;

/** Runs it on all of a repo; gives back the repo of its output. */
async function mapReduce(client: Client, repo: string, spec: object): Promise<string> {
  const output = `output_${++runs}`;
  const { id } = await client.jobs.create({
    output,
    inputs: [{ commit: { repo: { name: repo }, id: "master" } }],
    transform: { mapReduce: spec },
  });
  const { state, error } = await client.runs.wait(id);
  if (state !== "success") throw new Error(`run ${id} is a ${state}: ${error}`);
  return output;
}

function inSeconds(values: readonly number[]): number[] {
  return values.map((ms) => ms / 1_000);
}

/** `1m2.500000s`, as the shell's `times` prints it. */
function msOfTimes(text: string): number {
  const [, minutes, seconds] = /^(\d+)m([\d.]+)s$/.exec(text) ?? [];
  return 60_000 * Number(minutes) + 1_000 * Number(seconds);
}
