import { packTar } from "../src/client/index.ts";
import type { Bed, Row } from "./bench.ts";
import { msOf } from "./measure.ts";
import { cpuMs } from "./programs.ts";
import { run } from "../test/e2e/testing/daemon.ts";
import { lineFiles } from "./small-files.ts";

const mapper = "cat";

/**
 * Streaming jobs of many inputs of one line, a map task for each, from the command line to the commit: what a task
 * costs beside the time that the user's commands take when nothing runs but them.
 */
export async function* mapReduceTasks({ client, daemon, full }: Bed): AsyncGenerator<Row> {
  const count = full ? 1_000 : 200;
  await client.repos.create("lines");
  const at = { repo: "lines", branch: "master" };
  await client.files.putTarCommit(at, "", () => packTar(lineFiles(count)));
  const [wall, own]: number[][] = [[], [], []];
  for (let round = 0; round < 3; round++) {
    const before = cpuMs(daemon.pid);
    const ms = await msOf(() =>
      daemon.ok([
        "mapreduce",
        "--input=lines/master/",
        `--output=tasks_${round}`,
        `--mapper=${mapper}`,
        "--reducer=LC_ALL=C uniq -c",
        "--split=file",
      ]),
    );
    wall!.push(ms / count);
    own!.push((cpuMs(daemon.pid) - before) / count);
  }
  const user = (await userMs(count)) / count;
  const peer = { what: "user time of its command alone", values: [user] };
  const what = `a map task of ${count} with one line each`;
  yield { what, unit: "ms", values: wall!, peer };
  yield { what: `${what}: without user time`, unit: "ms", values: wall!.map((ms) => ms - user) };
  yield { what: `${what}: processor time of the daemon`, unit: "ms", values: own! };
}

/** The processor time in user mode that so many mappers take in a shell. */
async function userMs(count: number): Promise<number> {
  const script = `i=0; while [ $i -lt ${count} ]; do echo apple | sh -c '${mapper}' >/dev/null; i=$((i+1)); done; times`;
  const { code, stdout, stderr } = await run("sh", ["-c", script]);
  const [, minutes, seconds] = /(\d+)m([\d.]+)s \S+\s*$/.exec(stdout) ?? [];
  if (code !== 0 || seconds === undefined) throw new Error(stderr);
  return 60_000 * Number(minutes) + 1_000 * Number(seconds);
}
