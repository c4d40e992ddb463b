import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../src/base/random.ts";
import { fruits, sales, showTotals, totalsOf, type Totals } from "./sales.ts";
import type { Terminal } from "./terminal.ts";

const linesADay = 100;

/** The tutorial: two days at the fruit stand. Gives back the final totals, held against our own. */
export async function playFruitStand(terminal: Terminal, folder: string): Promise<Totals> {
  const days = ["monday", "tuesday"].map((name, index) => {
    const file = join(folder, name);
    const text = sales(seededRandom(index + 1), linesADay);
    writeFileSync(file, text);
    return { name, file, text, commit: `data/master/${index}` };
  });
  const [monday, tuesday] = days;
  if (monday === undefined || tuesday === undefined) throw new Error("there are two days");

  terminal.say("A repo for the sales, and Monday's sales as its first commit.");
  await terminal.pachctl("create-repo", "data");
  await terminal.pachctl("put-file", "data", "master", "sales", "-c", "-f", monday.file);
  terminal.say("Two pipelines: filter greps each fruit into its own file, sum adds each file up.");
  await terminal.pachctl("create-pipeline", "-f", "examples/fruit_stand/pipeline.json");
  terminal.say("They run on every commit. Wait for what Monday's makes, then read the totals.");
  await readTotals(terminal, monday.commit, monday.text);

  terminal.say("Tuesday's sales go on top: only the new lines are read.");
  await terminal.pachctl("put-file", "data", "master", "sales", "-c", "-f", tuesday.file);
  const totals = await readTotals(terminal, tuesday.commit, monday.text + tuesday.text);

  terminal.say("Every state is kept, and every job that made one.");
  await terminal.pachctl("list-commit", "data");
  await terminal.pachctl("list-job");
  return totals;
}

/** Waits for the output of a commit and reads it, as a person would: the flush names the commit of sum. */
async function readTotals(terminal: Terminal, commit: string, text: string): Promise<Totals> {
  const flushed = await terminal.pachctl("flush-commit", commit);
  const id = /\bsum\/(\S+\/\d+)/.exec(flushed)?.[1];
  if (id === undefined) throw new Error(`flush-commit ${commit} named no commit of sum`);
  const read: Record<string, number> = {};
  for (const fruit of fruits)
    read[fruit] = Number(await terminal.pachctl("get-file", "sum", id, fruit));
  const expected = totalsOf(text);
  const wrong = fruits.find((fruit) => read[fruit] !== expected[fruit]);
  if (wrong !== undefined) {
    throw new Error(
      `the total of ${wrong} is ${read[wrong]}; by our own arithmetic: ${showTotals(expected)}`,
    );
  }
  return expected;
}
