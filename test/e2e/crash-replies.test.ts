import { strict as assert } from "node:assert";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { KiB, MiB } from "../../src/base/size.ts";
import { openTestDaemon, testFolder, type Ran, type TestDaemon } from "./testing/daemon.ts";
import { openFaultyProxy, type FaultyProxy } from "./testing/faulty-proxy.ts";
import { commitsOf, readCommit } from "./testing/keyed-requests.ts";
import { difference } from "./testing/oracle.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

const small = seededBytes("small", 10 * KiB);
const large = seededBytes("large", 3 * MiB);

interface Place {
  readonly daemon: TestDaemon;
  readonly proxy: FaultyProxy;
  readonly folder: string;
  /** pachctl through the proxy. */
  readonly through: (...args: string[]) => Promise<Ran>;
}

async function openPlace(t: TestContext): Promise<Place> {
  const daemon = await openTestDaemon(t);
  const proxy = await openFaultyProxy(t, daemon.address);
  const folder = testFolder(t);
  writeFileSync(join(folder, "small"), small);
  writeFileSync(join(folder, "large"), large);
  mkdirSync(join(folder, "many"));
  for (let i = 0; i < 50; i++) writeFileSync(join(folder, "many", `file-${i}`), small.subarray(i));
  await daemon.ok(["create-repo", "data"]);
  const through = async (...args: string[]): Promise<Ran> =>
    await daemon.pachctl(args, { cwd: folder, env: { ADDRESS: proxy.address } });
  return { daemon, proxy, folder, through };
}

function many(): [string, Buffer[]][] {
  return Array.from({ length: 50 }, (_, i) => [`many/file-${i}`, [small.subarray(i)]]);
}

/** No request was answered 500, and the daemon still answers. */
async function assertHealthy({ daemon }: Place): Promise<void> {
  assert.doesNotMatch(daemon.log, /a request failed for a reason of ours/);
  await daemon.ok(["list-repo"]);
}

test("what was carried out is not carried out again when its answer is lost", async (t) => {
  const place = await openPlace(t);
  const { daemon, proxy, through } = place;
  const commands = [
    ["start-commit", "data", "master"],
    ["put-file", "data", "master/0", "small", "-f", "small"],
    ["put-file", "data", "master/0", "large", "-f", "large"],
    ["put-file", "data", "master/0", "-r", "-f", "many"],
    ["finish-commit", "data", "master/0"],
    ["put-file", "data", "master", "small", "-c", "-f", "small"],
    ["put-file", "data", "master", "large", "-c", "-f", "large"],
    ["put-file", "data", "master", "-c", "-r", "-f", "many"],
  ];
  for (const command of commands) {
    proxy.faults = [{ kind: "lost_answer" }, { kind: "lost_answer" }];
    proxy.connections = 0;
    const ran = await through(...command);
    assert.equal(ran.code, 0, `${command.join(" ")}: ${ran.stderr}`);
    assert.ok(proxy.connections >= 3, `${command.join(" ")}: ${proxy.connections} connections`);
  }
  assert.deepEqual(
    (await commitsOf(daemon, "data")).map(({ id, state }) => [id, state]),
    [
      ["master/0", "finished"],
      ["master/1", "finished"],
      ["master/2", "finished"],
      ["master/3", "finished"],
    ],
  );
  const files = new Map([
    ["small", [small, small]],
    ["large", [large, large]],
    ...many().map(([path, pieces]) => [path, [...pieces, ...pieces]] as const),
  ]);
  const found = await readCommit(daemon, { repo: "data", id: "master/3" });
  assert.equal(difference(found, files), undefined);
  await assertHealthy(place);
});

test("standard input is put though the answer is lost, and the bytes are there once", async (t) => {
  const place = await openPlace(t);
  const { daemon, proxy } = place;
  await daemon.ok(["start-commit", "data", "master"]);
  proxy.faults = [{ kind: "lost_answer" }];
  const ran = await daemon.pachctl(["put-file", "data", "master/0", "piped"], {
    stdin: small,
    env: { ADDRESS: proxy.address },
  });
  assert.equal(ran.code, 0, ran.stderr);
  await daemon.ok(["finish-commit", "data", "master/0"]);
  const found = await readCommit(daemon, { repo: "data", id: "master/0" });
  assert.equal(difference(found, new Map([["piped", [small]]])), undefined);
});

test("an upload that is cut off is sent again, and is there once", async (t) => {
  const place = await openPlace(t);
  const { daemon, proxy, through } = place;
  for (const [source, afterBytes] of [
    ["small", 3 * KiB],
    ["large", 1 * MiB],
    ["large", 100],
    ["many", 100 * KiB],
  ] as const) {
    proxy.faults = [
      { kind: "cut_request", afterBytes },
      { kind: "cut_request", afterBytes },
    ];
    const ran = await through("put-file", "data", "master", "-c", "-r", "-f", source);
    assert.equal(ran.code, 0, `${source}: ${ran.stderr}`);
    assert.deepEqual(proxy.faults, [], source);
  }
  const files = new Map([["small", [small]], ["large", [large, large]], ...many()]);
  assert.equal((await commitsOf(daemon, "data")).length, 4);
  const found = await readCommit(daemon, { repo: "data", id: "master/3" });
  assert.equal(difference(found, files), undefined);
  await assertHealthy(place);
});

test("an upload that is always cut off leaves nothing", async (t) => {
  const place = await openPlace(t);
  const { daemon, proxy, through } = place;
  await daemon.ok(["start-commit", "data", "open"]);
  for (const target of [["open/0"], ["master", "-c"]]) {
    for (const source of ["small", "large", "many"]) {
      const fault = {
        kind: "cut_request",
        afterBytes: source === "small" ? 3 * KiB : 60 * KiB,
      } as const;
      proxy.faults = Array.from({ length: 10 }, () => fault);
      const ran = await through("put-file", "data", ...target, "-r", "-f", source);
      assert.equal(ran.code, 1, `${source} into ${target[0]}`);
      assert.match(ran.stderr, /^Lost the connection to pachd at [^\n]+\n$/);
    }
  }
  await daemon.ok(["finish-commit", "data", "open/0"]);
  assert.deepEqual(
    (await commitsOf(daemon, "data")).map(({ id }) => id),
    ["open/0"],
  );
  assert.deepEqual([...(await readCommit(daemon, { repo: "data", id: "open/0" })).keys()], []);
  await assertHealthy(place);
});
