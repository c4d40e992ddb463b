import * as fs from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../src/base/clock.ts";
import { silentLog } from "../src/base/log.ts";
import { systemRandom } from "../src/base/random.ts";
import {
  defaultDockerAddress,
  openDockerRunner,
  openProcessRunner,
  type Runner,
} from "../src/runner/index.ts";
import {
  docker,
  images,
  makeImages,
  testDocker,
} from "../src/runner/docker/testing/test-docker.ts";
import type { Bed, Row } from "./bench.ts";
import { msOf, race } from "./measure.ts";
import { runOk } from "./programs.ts";

const what = {
  docker: "a task that does nothing, in a warm container",
  warm: "a task that does nothing, as a process",
  cold: "the same in a sandbox of its own",
};
/** As many tasks at a time as a daemon of two slots has. */
const lanes = 2;

/** What the runners add to a command that does nothing: each run has an output directory of its own. */
export async function* noOpTasks({ folder, full }: Bed): AsyncGenerator<Row, void, void> {
  const rounds = full ? 1_000 : 200;
  const common = { fs, random: systemRandom, clock: systemClock(), log: silentLog };
  const processes = await openProcessRunner({
    ...common,
    scratch: join(folder, "processes"),
    mode: "namespaces",
  });
  const runners = {
    warm: taskOf(processes, folder, { group: "bench" }),
    cold: taskOf(processes, folder, {}),
    bare: () => runOk("true", []),
  };
  const times = await race({ rounds, runners });
  const peer = { what: "fork and exec of true", values: times.bare };
  for (const kind of ["warm", "cold"] as const)
    yield { what: what[kind], unit: "ms", values: times[kind], peer };
  for (const kind of ["warm", "cold"] as const) {
    const values = [await rateOf(rounds, runners[kind])];
    const spawns = { what: "fork and exec of true", values: [await rateOf(rounds, runners.bare)] };
    yield { what: `${what[kind]}, ${lanes} at a time`, unit: "1/s", values, peer: spawns };
  }
  await processes.close();

  if (testDocker.skip !== false) return;
  await makeImages("shell");
  const containers = await openDockerRunner({
    ...common,
    address: testDocker.address || defaultDockerAddress,
    scratch: join(folder, "containers"),
    machine: "bench",
    user: undefined,
  });
  const kept = await docker("run", "--detach", "--network", "none", images.shell, "sleep", "10000");
  const ours = taskOf(containers, folder, { group: "bench", image: images.shell });
  await ours(-1);
  // One after the other: between two of ours the container would be found idle, and tidied up for free.
  const inTurn = await race({ rounds, runners: { ours } });
  const rate = await rateOf(rounds, ours);
  const exec = await race({ rounds: 20, runners: { exec: () => docker("exec", kept, "true") } });
  await docker("rm", "--force", kept);
  await containers.close();
  yield {
    what: what.docker,
    unit: "ms",
    values: inTurn.ours,
    peer: { what: "docker exec true", values: exec.exec },
  };
  yield { what: `${what.docker}, ${lanes} at a time`, unit: "1/s", values: [rate] };
}

/** Tasks a second, with several lanes of them. */
async function rateOf(count: number, task: (round: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await task(next++);
  };
  const ms = await msOf(() => Promise.all(Array.from({ length: lanes }, lane)));
  return (count * 1_000) / ms;
}

let directories = 0;

function taskOf(
  runner: Runner,
  folder: string,
  { group, image = "" }: { group?: string; image?: string },
): (round: number) => Promise<void> {
  return async (round) => {
    const out = join(folder, `out-${++directories}`);
    await fs.mkdir(out);
    const outcome = await runner.run(
      {
        id: `bench-${round}`,
        ...(group === undefined ? {} : { group }),
        image,
        cmd: ["true"],
        env: {},
        stdin: Buffer.alloc(0),
        mounts: [
          { name: "data", hostPath: folder, writable: false },
          { name: "out", hostPath: out, writable: true },
        ],
        hidden: [],
      },
      { signal: new AbortController().signal, output: () => undefined },
    );
    if (outcome.kind !== "exited" || outcome.exitCode !== 0)
      throw new Error(`a task that does nothing ended with ${JSON.stringify(outcome)}`);
  };
}
