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
import { race } from "./measure.ts";
import { runOk } from "./programs.ts";

const what = {
  docker: "a task that does nothing, in a warm container",
  process: "a task that does nothing, as a process",
};

/** What the runners add to a command that does nothing: each run has an output directory of its own. */
export async function* noOpTasks({ folder, full }: Bed): AsyncGenerator<Row, void, void> {
  const rounds = full ? 1_000 : 200;
  const common = { fs, random: systemRandom, clock: systemClock(), log: silentLog };
  const processes = await openProcessRunner({
    ...common,
    scratch: join(folder, "processes"),
    mode: "namespaces",
  });
  const asProcess = await race({
    rounds,
    runners: { ours: taskOf(processes, folder, ""), bare: () => runOk("true", []) },
  });
  await processes.close();
  const peer = { what: "fork and exec of true", values: asProcess.bare };
  yield { what: what.process, unit: "ms", values: asProcess.ours, peer };

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
  const ours = taskOf(containers, folder, images.shell);
  await ours(-1);
  // One after the other: between two of ours the container would be found idle, and tidied up for free.
  const times = await race({ rounds, runners: { ours } });
  const exec = await race({ rounds: 20, runners: { exec: () => docker("exec", kept, "true") } });
  await docker("rm", "--force", kept);
  await containers.close();
  yield {
    what: what.docker,
    unit: "ms",
    values: times.ours,
    peer: { what: "docker exec true", values: exec.exec },
  };
}

function taskOf(runner: Runner, folder: string, image: string): (round: number) => Promise<void> {
  return async (round) => {
    const out = join(folder, `out-${image === "" ? "process" : "docker"}-${round}`);
    await fs.mkdir(out);
    const outcome = await runner.run(
      {
        id: `bench-${round}`,
        group: "bench",
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
