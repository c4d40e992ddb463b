// Goal: a store written by any release opens in this one, shows what it showed then, and goes on; one written
// by a newer release is refused. Method: stores kept in test/fixtures, and real daemons on copies of them.
import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { migrations } from "../../src/metadata/migrations/index.ts";
import { openClient, type Client } from "../../src/client/index.ts";
import { visible } from "../fixtures/visible.ts";
import { run, TestDaemon, testFolder } from "./testing/daemon.ts";

const fixtures = fileURLToPath(new URL("../fixtures", import.meta.url));
const pachd = fileURLToPath(new URL("../../bin/pachd", import.meta.url));

for (const fixture of readdirSync(fixtures).filter((name) => name.startsWith("format-")))
  test(`a store of ${fixture} shows what it showed, and goes on`, async (t) => {
    const root = await unpacked(t, fixture);
    const before = versionOf(root);
    const daemon = await openAt(t, root);
    const client = openClient({ address: daemon.address });
    t.after(() => client.close());
    const expected = expectedOf(fixture);
    assert.deepEqual(JSON.parse(JSON.stringify(await visible(client))), expected);
    await assertWhole(daemon);
    assert.deepEqual(JSON.parse(JSON.stringify(await visible(client))), expected);
    await goOn(client);
    await daemon.stop();
    const copy = `mammoth.db.v${before}-before-v${migrations.length}`;
    assert.equal(existsSync(join(root, "metadata", copy)), before < migrations.length);
    assert.equal(versionOf(root), migrations.length);
  });

test("a store goes back to what it was before its migration", async (t) => {
  const root = await unpacked(t, "format-1");
  const daemon = await openAt(t, root);
  const client = openClient({ address: daemon.address });
  t.after(() => client.close());
  await goOn(client);
  await daemon.stop();
  // As docs/operations/upgrade.md says.
  const database = databaseOf(root);
  renameSync(`${database}.v1-before-v${migrations.length}`, database);
  rmSync(`${database}-wal`, { force: true });
  rmSync(join(root, "store", "objects", "journal"), { recursive: true, force: true });
  assert.equal(versionOf(root), 1);
  await daemon.start();
  assert.deepEqual(JSON.parse(JSON.stringify(await visible(client))), expectedOf("format-1"));
});

test("a store of a newer release is refused, and both versions are named", async (t) => {
  const root = await unpacked(t, "format-1");
  const newer = migrations.length + 1;
  const database = new DatabaseSync(databaseOf(root));
  database.exec(`INSERT INTO schema_version (version) VALUES (${newer})`);
  database.close();
  const bytes = readFileSync(databaseOf(root));
  const ran = await run(pachd, ["--root", root, "--address", "127.0.0.1:0"]);
  assert.equal(ran.code, 1);
  assert.match(
    ran.stderr,
    new RegExp(
      `^pachd: Cannot open .+: its schema has version ${newer}, this release knows versions up to ${migrations.length}\\. Run a newer release`,
    ),
  );
  assert.ok(readFileSync(databaseOf(root)).equals(bytes), "the database has been touched");
});

function expectedOf(fixture: string): unknown {
  return JSON.parse(readFileSync(join(fixtures, fixture, "expected.json"), "utf8"));
}

async function openAt(t: TestContext, root: string): Promise<TestDaemon> {
  const daemon = new TestDaemon(root, ["--log-level", "error", "--gc-every", "0"]);
  t.after(async () => await daemon.stop("SIGKILL"));
  await daemon.start();
  return daemon;
}

async function unpacked(t: TestContext, fixture: string): Promise<string> {
  const root = join(testFolder(t), "root");
  await mkdir(root, { mode: 0o700 });
  execFileSync("tar", ["-C", root, "-xzf", join(fixtures, fixture, "store.tar.gz")]);
  return root;
}

/** Everything is there, also after what nothing refers to any more has been removed. */
async function assertWhole(daemon: TestDaemon): Promise<void> {
  assert.match(await daemon.ok(["fsck", "--read-data"]), /nothing is wrong\n/);
  await daemon.ok(["garbage-collect"]);
  assert.match(await daemon.ok(["fsck", "--read-data"]), /nothing is wrong\n/);
}

/** What was left open is finished, and a new commit runs the pipelines. */
async function goOn(client: Client): Promise<void> {
  const open = await client.commits.finish({ repo: "data", id: "pieces/1" });
  assert.equal(open.state, "finished");
  assert.match(await textOf(client, "data", "pieces/1", "log.txt"), /^piece 0\n[^]*open commit\n$/);
  const { id } = await client.files.putCommit(
    { repo: "data", branch: "master" },
    "words.txt",
    "date 1\n",
  );
  const made = await client.commits.flush([{ repo: "data", id }], { toRepos: ["twice"] });
  const output = made.find(({ repo }) => repo === "twice");
  assert.ok(output !== undefined);
  assert.equal(await textOf(client, "twice", output.id, "both"), "4\n4\n");
}

async function textOf(client: Client, repo: string, id: string, path: string): Promise<string> {
  const parts: Buffer[] = [];
  for await (const bytes of await client.files.get({ repo, id }, path)) parts.push(bytes);
  return Buffer.concat(parts).toString();
}

function versionOf(root: string): number {
  const database = new DatabaseSync(databaseOf(root));
  const row = database.prepare(`SELECT max(version) AS version FROM schema_version`).get();
  database.close();
  return Number(row?.["version"]);
}

function databaseOf(root: string): string {
  return join(root, "metadata", "mammoth.db");
}
