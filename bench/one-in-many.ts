import { packTar, type TarFile } from "../src/client/index.ts";
import type { Bed, Row } from "./bench.ts";
import { race } from "./measure.ts";
import { untilQuiet } from "./programs.ts";

/** One changed file in a large repo, beside one in a small repo: cost follows the change, not the size. */
export async function* oneInMany({ client, daemon }: Bed): AsyncGenerator<Row, void, void> {
  const counts = { many: 200_000, few: 200 };
  for (const [repo, count] of Object.entries(counts)) {
    await client.repos.create(repo);
    await client.files.putTarCommit({ repo, branch: "master" }, "", () => packTar(lines(count)));
  }
  await untilQuiet(daemon.pid);
  const changeOne = async (repo: keyof typeof counts, round: number): Promise<void> => {
    const commit = await client.commits.start(repo, "master");
    const path = nameOf((round * 7_919) % counts[repo]);
    await client.files.put(commit, path, `apple ${round}\n`, { overwrite: true });
    await client.commits.finish(commit);
  };
  const { many, few } = await race({
    rounds: 21,
    runners: { many: (round) => changeOne("many", round), few: (round) => changeOne("few", round) },
  });
  yield {
    what: "one changed file in a repo of 200000",
    unit: "ms",
    values: many.slice(1),
    peer: { what: "in a repo of 200", values: few.slice(1) },
  };
}

function nameOf(index: number): string {
  return `${Math.floor(index / 1_000)}/file-${index % 1_000}`;
}

function* lines(count: number): Generator<TarFile, void, void> {
  for (let index = 0; index < count; index++) {
    const line = Buffer.from(`apple ${index}\n`);
    yield {
      path: nameOf(index),
      sizeBytes: line.length,
      open: async function* () {
        yield line;
      },
    };
  }
}
