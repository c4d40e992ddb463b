import { strict as assert } from "node:assert";
import { test } from "node:test";
import { randomBelow, seededRandom, systemRandom } from "../../src/base/random.ts";
import { KiB, MiB } from "../../src/base/size.ts";
import { hasS3Server, S3Server, s3Keys } from "../../src/objectstore/testing/s3-server.ts";
import { CrashWriter, type Plan } from "../e2e/testing/crash-writer.ts";
import { openTestDaemon } from "../e2e/testing/daemon.ts";
import { seededBytes } from "../e2e/testing/seeded-bytes.ts";
import { assertNoFindings, assertNoMistakes } from "./testing/checked-store.ts";
import { S3FaultProxy } from "./testing/s3-fault-proxy.ts";

const seed = Number(process.env["MAMMOTH_CRASH_SEED"] ?? systemRandom.bytes(4).readUInt32BE());
const rounds = Number(process.env["MAMMOTH_FAULT_ROUNDS"] ?? 3);
const skip = hasS3Server() ? false : "no S3 server is installed";

/** A small file, one that is a pack of its own, and now and then one that is sent in parts. */
const threePuts: Plan = (random, round) => {
  const sizes = [
    1 * KiB,
    300 * KiB + randomBelow(random, MiB),
    ...(round % 3 === 0 ? [20 * MiB] : []),
  ];
  const puts = sizes.map((bytes, index) => {
    const path = `file-${index}`;
    const write = { path, overwrite: true, bytes: seededBytes(`${seed} ${round} ${index}`, bytes) };
    const request = { asCommit: false, path: `/files/${path}?overwrite=true`, body: write.bytes };
    return { kind: "put-file", writes: [write], request };
  });
  return [{ kind: "start-commit" }, ...puts, { kind: "finish-commit" }];
};

test(
  `every byte is in its place when requests to S3 fail, get lost or come twice (MAMMOTH_CRASH_SEED=${seed})`,
  { skip, timeout: 3_600_000 },
  async (t) => {
    Object.assign(process.env, s3Keys);
    const random = seededRandom(seed);
    const s3 = await S3Server.open();
    t.after(async () => await s3.close());
    await s3.newBucket("mammoth");
    const proxy = await S3FaultProxy.open(t, s3.endpoint, seededRandom(seed + 1));
    // Each takes half a minute.
    proxy.isPatient = rounds > 10;
    const store = `s3://mammoth/store?endpoint=${encodeURIComponent(proxy.endpoint)}`;
    const daemon = await openTestDaemon(t, [
      "--object-store",
      store,
      "--object-cache",
      "0",
      "--log-level",
      "warn",
      "--gc-every",
      "0",
    ]);
    await daemon.ok(["create-repo", "data"]);
    const writer = new CrashWriter("data", threePuts, random);
    let refused = 0;
    for (let round = 0; round < rounds; round++) {
      const victim = `victim_${round}`;
      await daemon.ok(["create-repo", victim]);
      await daemon.ok(["put-file", victim, "master", "file", "-c"], {
        stdin: seededBytes(victim, 400 * KiB),
      });
      // Now and then more than the tries of one request make good.
      proxy.percent = round % 3 === 2 ? 60 : 10;
      const lost = await writer.run(daemon, {
        onSend: () => undefined,
        onAnswer: () => undefined,
        stopped: (answers) => answers >= 4,
        onFault: () => refused++,
      });
      await daemon.ok(["delete-repo", victim]);
      const collected = await daemon.pachctl(["garbage-collect"]);
      if (collected.code !== 0) {
        refused++;
        assert.match(collected.stderr, /object store|bucket|Cannot/);
      }
      if (lost !== undefined) proxy.percent = 0;
      else proxy.percent = 10;
      await writer.settle(daemon);
    }
    proxy.percent = 0;
    await writer.end(daemon);
    proxy.percent = 10;
    await writer.compareAll(daemon);
    proxy.percent = 0;
    await daemon.ok(["garbage-collect"]);
    await assertNoFindings(daemon);
    assertNoMistakes(daemon);
    const faults = Object.entries(proxy.faults).map(([kind, times]) => `${kind} ${times}`);
    t.diagnostic(`${proxy.requests} requests to S3: ${faults.join(", ")}`);
    t.diagnostic(`${writer.oracle.commits.length} commits, ${refused} requests refused`);
  },
);
