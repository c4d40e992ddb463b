import { strict as assert } from "node:assert";
import { test } from "node:test";
import { randomBelow, seededRandom, systemRandom } from "../../src/base/random.ts";
import { KiB } from "../../src/base/size.ts";
import { PostgresServer, postgresPrograms } from "../../src/metadata/testing/postgres-server.ts";
import { CrashWriter, type Plan } from "../e2e/testing/crash-writer.ts";
import { openTestDaemon } from "../e2e/testing/daemon.ts";
import { openCommits } from "../e2e/testing/keyed-requests.ts";
import { seededBytes } from "../e2e/testing/seeded-bytes.ts";
import { assertNoFindings, assertNoMistakes } from "./testing/checked-store.ts";
import { CuttingProxy } from "./testing/cutting-proxy.ts";

const seed = Number(process.env["MAMMOTH_CRASH_SEED"] ?? systemRandom.bytes(4).readUInt32BE());
const rounds = Number(process.env["MAMMOTH_FAULT_ROUNDS"] ?? 4);
const skip = postgresPrograms() === undefined ? "PostgreSQL is not installed" : false;

/** Appends and replacements, into an open commit or as commits of their own. */
const puts: Plan = (random, round) => {
  const asCommit = round % 3 === 2;
  const steps = Array.from({ length: asCommit ? 1 : 3 }, (_, index) => {
    const overwrite = randomBelow(random, 2) === 0;
    const path = `file-${randomBelow(random, 4)}`;
    const bytes = seededBytes(`${seed} ${round} ${index}`, 1 + randomBelow(random, 300 * KiB));
    const request = { asCommit, path: `/files/${path}?overwrite=${overwrite}`, body: bytes };
    return { kind: "put-file", writes: [{ path, overwrite, bytes }], request };
  });
  return asCommit ? steps : [{ kind: "start-commit" }, ...steps, { kind: "finish-commit" }];
};

test(
  `nothing is lost or doubled when connections to PostgreSQL are cut at any byte (MAMMOTH_CRASH_SEED=${seed})`,
  { skip, timeout: 3_600_000 },
  async (t) => {
    const postgres = await PostgresServer.open();
    t.after(async () => await postgres.close());
    const database = new URL(await postgres.newDatabase());
    const target = { host: database.hostname, port: Number(database.port) };
    const proxy = await CuttingProxy.open(t, target, seededRandom(seed + 1));
    database.port = String(proxy.port);
    const daemon = await openTestDaemon(t, [
      "--database",
      database.href,
      "--log-level",
      "warn",
      "--gc-every",
      "0",
    ]);
    await daemon.ok(["create-repo", "data"]);
    const writer = new CrashWriter("data", puts, seededRandom(seed));
    let refused = 0;
    for (let round = 0; round < rounds; round++) {
      // Now and then so often that no transaction is made good.
      proxy.cutEvery = round % 4 === 3 ? 20 : 100;
      await writer.run(daemon, {
        onSend: () => undefined,
        onAnswer: () => undefined,
        stopped: (answers) => answers >= 10,
        onFault: () => refused++,
      });
      proxy.cutEvery = 0;
      await writer.settle(daemon);
    }
    await writer.end(daemon);
    await writer.compareAll(daemon);
    assert.deepEqual(await openCommits(daemon), []);
    await daemon.ok(["garbage-collect"]);
    await assertNoFindings(daemon);
    assertNoMistakes(daemon);
    const { retried, happened, not } = writer.unanswered;
    t.diagnostic(
      `cut on the way there ${proxy.cutsThere} times, on the way back ${proxy.cutsBack}`,
    );
    t.diagnostic(
      `${writer.oracle.commits.length} commits; ${refused} requests refused: ${retried} sent again, of the others ${happened} had happened and ${not} not`,
    );
  },
);
