import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { randomBelow, seededRandom, systemRandom } from "../../src/base/random.ts";
import { openInlineSqliteMetadata } from "../../src/metadata/index.ts";
import { migrations } from "../../src/metadata/migrations/index.ts";
import { closeDatabase, openDatabase } from "../../src/metadata/sqlite/open-database.ts";
import { whyNoStrace } from "../e2e/testing/strace.ts";
import { ForgetfulDisk, type Kept } from "./testing/forgetful-disk.ts";
import { readStraceLog, straceArgs } from "./testing/strace-log.ts";

const seed = Number(process.env["MAMMOTH_CRASH_SEED"] ?? systemRandom.bytes(4).readUInt32BE());
/** How many crashed disks are read, and in how many places a call fails; `all`: everywhere. */
const disks = process.env["MAMMOTH_POWER_LOSSES"] ?? "80";
const places = process.env["MAMMOTH_FAULT_PLACES"] ?? "5";
const skip = whyNoStrace() ?? false;
const program = fileURLToPath(new URL("./testing/open-metadata.ts", import.meta.url));
const backup = `mammoth.db.v1-before-v${migrations.length}`;
const kinds: readonly Kept[] = ["nothing", "everything", "some", "some"];

/** A folder, in memory where that can be, with a database as the first release made it. */
function oldDatabase(t: TestContext): { folder: string; old: string } {
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "mammoth-old-"));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const old = join(folder, "old");
  mkdirSync(old);
  const path = join(old, "mammoth.db");
  const database = openDatabase(path, migrations.slice(0, 1));
  database.exec("INSERT INTO counters (name, value) VALUES ('kept', 7)");
  database.exec(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
     INSERT INTO counters (name, value) SELECT hex(randomblob(500)), i FROM n`,
  );
  closeDatabase(database, path);
  return { folder, old };
}

/** The database is there, whole and new; the old one is beside it. */
async function assertMigrated(folder: string): Promise<void> {
  const metadata = openInlineSqliteMetadata({ path: join(folder, "mammoth.db") });
  await metadata.close();
  for (const [name, version] of [
    ["mammoth.db", migrations.length],
    [backup, 1],
  ] as const) {
    const database = new DatabaseSync(join(folder, name), { readOnly: true });
    const get = (sql: string): unknown => Object.values(database.prepare(sql).get() ?? {})[0];
    assert.equal(get("PRAGMA integrity_check"), "ok", name);
    assert.equal(get("SELECT max(version) FROM schema_version"), version, name);
    assert.equal(get("SELECT value FROM counters WHERE name = 'kept'"), 7, name);
    assert.equal(get("SELECT count(*) FROM counters WHERE length(name) = 1000"), 40, name);
    database.close();
  }
}

function opened(path: string, ...strace: string[]): string {
  const args = [
    ...strace,
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    program,
    path,
  ];
  return spawnSync("strace", args, { encoding: "utf8" }).stdout.trim();
}

test(
  `a database and its backup are there when the power was lost during a migration (MAMMOTH_CRASH_SEED=${seed})`,
  { skip, timeout: 3_600_000 },
  async (t) => {
    const random = seededRandom(seed);
    const { folder, old } = oldDatabase(t);
    const disk = join(folder, "disk");
    cpSync(old, disk, { recursive: true });
    const forgetful = new ForgetfulDisk(disk);
    const output = join(folder, "strace.log");
    assert.equal(opened(join(disk, "mammoth.db"), ...straceArgs, "-o", output), "opened");
    const { events } = readStraceLog(readFileSync(output, "utf8"), disk);
    let read = 0;
    for (const [index, event] of events.entries()) {
      forgetful.apply(event);
      for (const kept of kinds) {
        const all = events.length * kinds.length;
        if (disks !== "all" && randomBelow(random, all) >= Number(disks)) continue;
        const crashed = join(folder, "crashed");
        forgetful.crash(crashed, { kept, random, underWay: events.slice(index + 1, index + 2) });
        await assertMigrated(crashed).catch((error: unknown) => {
          throw new Error(`${kept} kept after ${index + 1} changes`, { cause: error });
        });
        rmSync(crashed, { recursive: true });
        read++;
      }
    }
    t.diagnostic(`${read} disks, ${events.length} changes`);
  },
);

test(
  `a migration happens wholly or not at all when the disk fails in its middle (MAMMOTH_CRASH_SEED=${seed})`,
  { skip, timeout: 3_600_000 },
  async (t) => {
    const random = seededRandom(seed);
    const { folder, old } = oldDatabase(t);
    const output = join(folder, "strace.log");
    const crashed = join(folder, "crashed");
    const calls = "fsync,fdatasync,pwrite64,ftruncate,unlink";
    cpSync(old, crashed, { recursive: true });
    opened(join(crashed, "mammoth.db"), "-f", "-o", output, "-e", `trace=${calls}`);
    const lines = readFileSync(output, "utf8").split("\n");
    const all = calls.split(",").flatMap((call) => {
      const count = lines.filter((line) => line.includes(` ${call}(`)).length;
      return Array.from({ length: count }, (_, i) => i + 1).flatMap((when) =>
        ["error=EIO", "error=ENOSPC", "signal=SIGKILL"].map((fault) => ({ call, when, fault })),
      );
    });
    const share = places === "all" ? 1 : Number(places) / all.length;
    const outcomes: Record<string, number> = {};
    for (const { call, when, fault } of all) {
      if (randomBelow(random, 1_000_000) >= share * 1_000_000) continue;
      rmSync(crashed, { recursive: true });
      cpSync(old, crashed, { recursive: true });
      const inject = `inject=${call}:${fault}:when=${when}`;
      const path = join(crashed, "mammoth.db");
      const said = opened(path, "-f", "-o", output, "-e", `trace=${call}`, "-e", inject);
      const outcome = said.split(":")[0]!;
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      await assertMigrated(crashed).catch((error: unknown) => {
        throw new Error(`${inject}: ${said}`, { cause: error });
      });
      assert.notEqual(outcome, "internal", `${inject}: ${said}`);
    }
    t.diagnostic(`${all.length} places: ${JSON.stringify(outcomes)}`);
  },
);
