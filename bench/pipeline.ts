import type { Bed, Row } from "./bench.ts";
import { race } from "./measure.ts";
import { runOk } from "./programs.ts";

/** From a finished commit to the output of a pipeline that does nothing. */
export async function* pipeline({ client, full }: Bed): AsyncGenerator<Row, void, void> {
  await client.repos.create("data");
  await client.pipelines.create({
    pipeline: { name: "nothing" },
    transform: { cmd: ["true"] },
    parallelismSpec: { strategy: "CONSTANT", constant: 1 },
    inputs: [{ repo: { name: "data" } }],
  });
  const branch = { repo: "data", branch: "master" };
  let commit = await client.files.putCommit(branch, "sales", "apple 4\n");
  await client.commits.flush([commit]);
  const times = await race({
    rounds: full ? 50 : 15,
    async prepare() {
      commit = await client.files.putCommit(branch, "sales", "apple 4\n");
    },
    runners: {
      flush: () => client.commits.flush([commit]),
      shell: () =>
        runOk("unshare", ["--user", "--map-root-user", "--mount", "--pid", "--fork", "true"]),
    },
  });
  yield {
    what: "commit to output of a pipeline that does nothing",
    unit: "ms",
    values: times.flush,
    peer: { what: "unshare true", values: times.shell },
  };
}
