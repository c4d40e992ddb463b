import { strict as assert } from "node:assert";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { sales } from "../../scripts/demo/sales.ts";
import { seededRandom } from "../../src/base/random.ts";
import { jsonLines, openTestDaemon, run, testFolder, type TestDaemon } from "./testing/daemon.ts";

const spec = fileURLToPath(new URL("../../examples/fruit_stand/pipeline.json", import.meta.url));
const fruits = ["apple", "banana", "orange"];

/** Totals per fruit as awk sees them. */
async function awkTotals(files: readonly string[]): Promise<Record<string, number>> {
  const { stdout } = await run("awk", [
    "{ sum[$1] += $2 } END { for (fruit in sum) print fruit, sum[fruit] }",
    ...files,
  ]);
  return Object.fromEntries(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" "))
      .map(([fruit, sum]) => [fruit!, Number(sum)]),
  );
}

async function totalsOf(daemon: TestDaemon, commit: string): Promise<Record<string, number>> {
  const flushed = jsonLines<{ repo: string; id: string }>(
    await daemon.ok(["flush-commit", `data/${commit}`, "--raw"]),
  );
  const output = flushed.find((info) => info.repo === "sum")!;
  const totals: Record<string, number> = {};
  for (const fruit of fruits)
    totals[fruit] = Number(await daemon.ok(["get-file", "sum", output.id, fruit]));
  return totals;
}

test("the fruit stand adds up after each day, and the same day twice counts twice", async (t) => {
  const daemon = await openTestDaemon(t);
  const folder = testFolder(t);
  const days = [1, 2].map((day) => {
    const file = join(folder, `day${day}`);
    writeFileSync(file, sales(seededRandom(day), 100));
    return file;
  });
  await daemon.ok(["create-repo", "data"]);
  await daemon.ok(["put-file", "data", "master", "sales", "-c", "-f", days[0]!]);
  await daemon.ok(["create-pipeline", "-f", spec]);
  assert.deepEqual(await totalsOf(daemon, "master/0"), await awkTotals([days[0]!]));
  await daemon.ok(["put-file", "data", "master", "sales", "-c", "-f", days[1]!]);
  assert.deepEqual(await totalsOf(daemon, "master/1"), await awkTotals(days));
  await daemon.ok(["put-file", "data", "master", "sales", "-c", "-f", days[1]!]);
  assert.deepEqual(await totalsOf(daemon, "master/2"), await awkTotals([...days, days[1]!]));
  const jobs = jsonLines<{ state: string }>(await daemon.ok(["list-job", "--raw"]));
  assert.equal(jobs.length, 6);
  assert.ok(jobs.every((job) => job.state === "success"));
});
