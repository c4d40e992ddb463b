import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestDaemon } from "../../e2e/testing/daemon.ts";
import { run } from "../../../src/cli/testing/run.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { systemRandom } from "../../../src/base/random.ts";

/** What the tables presume: repos, commits in every state, a pipeline with a job, and local files. */
const setup: readonly (readonly [words: string, stdin?: string])[] = [
  ["create-repo data"],
  ["put-file data master greeting -c", "hello\n"],
  ["create-repo other"],
  [
    "create-pipeline",
    '{"pipeline": {"name": "copy"}, "transform": {"cmd": ["sh", "-c", "cp /pfs/data/* /pfs/out"]}, "inputs": [{"repo": {"name": "data"}}]}',
  ],
  ["flush-commit data/master/0"],
  ["delete-repo other"],
  ["create-repo files"],
  ["put-file files master greeting -c", "hello\n"],
  ["put-file files feature_a a -c", "a\n"],
  ["put-file files feature_b b -c", "b\n"],
  ["start-commit files open"],
  ["put-file files open/0 sales", "apple 4\n"],
  ["put-file files open/0 logs/day1", "quiet\n"],
  ["start-commit files gone"],
  ["finish-commit -c files gone/0"],
  ["put-file files tree dir/inner -c", "inner\n"],
  ["put-file files tree top -c", "top\n"],
  ["start-commit files tree"],
];

/** Brings a fresh daemon, and the folder the commands run in, into the state that the tables presume. */
export async function fillDaemon(daemon: TestDaemon, folder: string): Promise<void> {
  for (const [words, stdinText] of setup) {
    const ran = await run(words.split(" "), {
      address: daemon.address,
      clock: systemClock(),
      random: systemRandom,
      ...(stdinText === undefined ? {} : { stdinText }),
    });
    if (ran.exit !== 0) throw new Error(`${words}: ${ran.stderr}`);
  }
  mkdirSync(join(folder, "folder"));
  writeFileSync(join(folder, "folder/file"), "in a folder\n");
  mkdirSync(join(folder, "linked"));
  symlinkSync("..", join(folder, "linked/up"));
  writeFileSync(join(folder, "empty"), "");
}

const questions = [
  "/repos",
  "/commits?status=ALL",
  "/pipelines",
  "/jobs",
  "/repos/files/branches?status=ALL",
  "/repos/files/commits/open%2F0/list/?recurse=true",
  "/repos/files/commits/tree%2F2/list/?recurse=true",
];

/** Everything a caller can see of a daemon. */
export async function stateOf(daemon: TestDaemon): Promise<string> {
  const answers = await Promise.all(
    questions.map(async (path) => await (await daemon.fetch(path)).text()),
  );
  return answers.join("\n");
}
