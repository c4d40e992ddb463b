// Goal: what pfs and pps promise holds on PostgreSQL as on SQLite.
// Method: their own unit tests once more, each with a database of its own on one real server. The long
// form, MAMMOTH_UNITS_ON_POSTGRES=all, runs every test of the two floors.
import { strict as assert } from "node:assert";
import { globSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeTemplate } from "../../src/metadata/testing/open-test-metadata.ts";
import { PostgresServer, postgresPrograms } from "../../src/metadata/testing/postgres-server.ts";
import { run } from "./testing/daemon.ts";

const skip = postgresPrograms() === undefined ? "PostgreSQL is not installed" : false;
const root = fileURLToPath(new URL("../..", import.meta.url));
/** Those that call the most procedures. */
const short = [
  "src/pfs/commits.test.ts",
  "src/pps/create-job.test.ts",
  "src/pps/job-verbs.test.ts",
  "src/pps/pipelines.test.ts",
  "src/pps/tasks.test.ts",
];

test("the unit tests of pfs and pps pass on PostgreSQL", { skip }, async (t) => {
  const server = await PostgresServer.open({ isDurable: false });
  t.after(async () => await server.close());
  await makeTemplate(server.url("postgres"));
  const isLong = process.env["MAMMOTH_UNITS_ON_POSTGRES"] === "all";
  const files = isLong ? globSync("src/{pfs,pps}/**/*.test.ts", { cwd: root }) : short;
  // With this variable it would take itself for a test of this file, and do nothing.
  const node = ["-u", "NODE_TEST_CONTEXT", process.execPath];
  const ran = await run("env", [...node, "--test", "--test-reporter=tap", ...files], {
    cwd: root,
    env: { MAMMOTH_TEST_POSTGRES: server.url("postgres") },
  });
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  assert.match(ran.stdout, /^# pass [1-9]/m);
});
