// Goal: a client that nobody here wrote, built from proto/ alone, does the whole tutorial.
import { strict as assert } from "node:assert";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { sales } from "../../scripts/demo/sales.ts";
import { seededRandom } from "../../src/base/random.ts";
import { openTestDaemon, run, testFolder } from "./testing/daemon.ts";
import { grpcPython, hasGrpcPython } from "./testing/grpc-python.ts";

const protos = fileURLToPath(new URL("../../proto", import.meta.url));
const program = fileURLToPath(new URL("./grpc/tutorial.py", import.meta.url));
const skip = hasGrpcPython() ? false : "Python's grpcio is not installed";

async function awkTotals(file: string): Promise<Record<string, number>> {
  const sum = "{ sum[$1] += $2 } END { for (fruit in sum) print fruit, sum[fruit] }";
  const { stdout } = await run("awk", [sum, file]);
  const lines = stdout.trim().split("\n");
  return Object.fromEntries(
    lines.map((line) => line.split(" ")).map(([fruit, total]) => [fruit!, Number(total)]),
  );
}

test("the tutorial over gRPC, in Python, from the protos alone", { skip }, async (t) => {
  const daemon = await openTestDaemon(t);
  const folder = testFolder(t);
  const work = join(folder, "made");
  mkdirSync(work);
  const file = join(folder, "sales");
  const text = sales(seededRandom(1), 100);
  writeFileSync(file, text);
  const ran = await run(grpcPython, [program, protos, work, daemon.address], { stdin: text });
  assert.equal(ran.code, 0, `${ran.stderr}\n${daemon.log}`);
  const { refused, logs, ...found } = JSON.parse(ran.stdout) as Record<string, unknown>;
  assert.deepEqual(found, {
    version: [1, 2, 6, ""],
    commit: "master/0",
    same: true,
    inTime: true,
    listed: [["/sales", text.length, "master/0"]],
    flushed: ["data", "filter", "sum"],
    totals: await awkTotals(file),
    jobs: [
      ["filter", "JOB_SUCCESS"],
      ["sum", "JOB_SUCCESS"],
    ],
    chunks: ["CHUNK_SUCCESS"],
    big: true,
    late: "DEADLINE_EXCEEDED",
  });
  assert.equal(typeof logs, "string");
  const [unknown, unimplemented] = refused as string[][];
  assert.deepEqual(unknown, ["UNKNOWN", "repo 100 % é not found"]);
  assert.deepEqual(unimplemented, ["UNIMPLEMENTED", "unknown method /pfs.API/Nobodys"]);
});
