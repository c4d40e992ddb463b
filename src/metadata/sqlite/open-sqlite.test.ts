import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isCoded } from "../../base/errors.ts";
import { silentLog } from "../../base/log.ts";
import { metadataConformance } from "../testing/conformance.ts";
import { asTestStore } from "../testing/test-procedures.ts";
import { openSqliteMetadata } from "./open-sqlite.ts";
import type { SqliteMetadata } from "./queued-store.ts";

const module = new URL("../testing/test-procedures.ts", import.meta.url);

metadataConformance("sqlite", async (t) => {
  const path = await newPath(t);
  return { open: async () => await openAt(path) };
});

describe("openSqliteMetadata()", () => {
  it("makes the folders it needs and leaves one file after close()", async (t) => {
    const path = join(await newPath(t), "deeper", "metadata.db");
    const store = await openAt(path);
    assert.equal((await readFile(`${path}.pid`, "utf8")).trim(), String(process.pid));
    await store.close();
    await assert.rejects(stat(`${path}.pid`), { code: "ENOENT" });
    await assert.rejects(stat(`${path}-wal`), { code: "ENOENT" });
    assert.ok((await stat(path)).isFile());
  });

  it("runs the product's own schema and procedures", async (t) => {
    const store = await openSqliteMetadata({ path: await newPath(t), log: silentLog });
    await store.close();
  });

  it("answers what makes room with its second try, whoever shares its transaction", async (t) => {
    const path = await newPath(t);
    const file = `${path}.module.ts`;
    const errors = new URL("../../base/errors.ts", import.meta.url).href;
    await writeFile(
      file,
      `import { CodedError } from ${JSON.stringify(errors)};
       import { migrations, procedures as known } from ${JSON.stringify(module.href)};
       let tries = 0;
       const incrementThenBreak = async (tx, input) => {
         if (tries++ === 0) throw new CodedError("resource_exhausted", "the disk is full");
         return await known.increment(tx, input);
       };
       export { migrations };
       export const procedures = { ...known, incrementThenBreak };
       export const freeing = ["incrementThenBreak"];`,
    );
    const store = asTestStore(
      await openSqliteMetadata({ path, log: silentLog, module: pathToFileURL(file) }),
    );
    await store.call("increment", { name: "a" });
    const [freed] = await Promise.all([
      store.call("incrementThenBreak", { name: "b" }),
      store.call("increment", { name: "a" }),
    ]);
    assert.equal(freed, 1);
    assert.equal(await store.call("readCounter", { name: "b" }), 1);
    await store.close();
  });

  it("refuses a second opener and names the first", async (t) => {
    const path = await newPath(t);
    const store = await openAt(path);
    const expected = `Cannot open ${path}: another daemon (pid ${process.pid}) is using it. Stop that one, or choose another --root`;
    const [said] = (await once(linesOf(startIncrementing(t, path)), "line")) as [string];
    assert.equal(said, `failed_precondition: ${expected}`);
    await assert.rejects(
      openAt(path),
      (thrown) => isCoded(thrown, "failed_precondition") && thrown.message === expected,
    );
    await asTestStore(store).call("increment", { name: "still" });
    await store.close();
  });

  it("loses no acknowledged call when the process is killed, and opens again at once", async (t) => {
    const path = await newPath(t);
    for (let round = 0; round < 2; round++) {
      const child = startIncrementing(t, path);
      const acknowledged = await killAfter(child, 400);
      const store = asTestStore(await openAt(path));
      const found = await store.call("readCounter", { name: "acknowledged" });
      await store.close();
      assert.ok(
        acknowledged > 0 && found >= acknowledged,
        `${found} found, ${acknowledged} acknowledged`,
      );
    }
  });

  it("refuses a schema newer than it knows, and names both", async (t) => {
    const path = await newPath(t);
    await (await openAt(path)).close();
    const older = new URL(
      "data:text/javascript,export const procedures = {}; export const migrations = [];",
    );
    await assert.rejects(openSqliteMetadata({ path, log: silentLog, module: older }), (thrown) => {
      assert.ok(isCoded(thrown, "failed_precondition"));
      assert.match(
        thrown.message,
        /its schema has version 1, this release knows versions up to 0\./,
      );
      return true;
    });
    await (await openAt(path)).close();
  });

  it("changes nothing when a migration fails", async (t) => {
    const path = await newPath(t);
    const broken = new URL(
      "data:text/javascript,export const procedures = {}; export const migrations = [{ version: 1, statements: ['CREATE TABLE counters (x TEXT)', 'NONSENSE'] }];",
    );
    await assert.rejects(openSqliteMetadata({ path, log: silentLog, module: broken }), (thrown) =>
      isCoded(thrown, "internal"),
    );
    const store = asTestStore(await openAt(path));
    assert.equal(await store.call("increment", { name: "a" }), 1);
    await store.close();
  });

  it("refuses what is no database, and a place where none can be", async (t) => {
    const text = await newPath(t);
    await writeFile(text, "A text, and not a short one. ".repeat(100));
    await assert.rejects(openAt(text), (thrown) => isCoded(thrown, "data_loss"));
    await assert.rejects(openAt(tmpdir()), (thrown) => isCoded(thrown, "permission_denied"));
    await assert.rejects(openAt(join(text, "metadata.db")), (thrown) =>
      isCoded(thrown, "failed_precondition"),
    );
  });

  it("answers everybody when its thread dies", async (t) => {
    const dying = new URL(
      "data:text/javascript,export const migrations = []; export const procedures = { die: async () => { setTimeout(() => { throw new Error('died') }); await new Promise(() => {}); } };",
    );
    const store = asTestStore(
      await openSqliteMetadata({ path: await newPath(t), log: silentLog, module: dying }),
    );
    const calls = Array.from({ length: 5 }, async () => await store.call("die" as "now", null));
    for (const call of calls)
      await assert.rejects(call, (thrown) => isCoded(thrown, "unavailable"));
    await assert.rejects(store.call("now", null), (thrown) => isCoded(thrown, "unavailable"));
    await store.close();
  });

  it("says that its thread has died, and not that it was closed", async (t) => {
    const dying = new URL(
      "data:text/javascript,export const migrations = []; export const procedures = { die: async () => process.exit() };",
    );
    const store = await openSqliteMetadata({
      path: await newPath(t),
      log: silentLog,
      module: dying,
    });
    const call = asTestStore(store).call("die" as "now", null);
    await assert.rejects(call, (thrown) => isCoded(thrown, "unavailable"));
    assert.ok(isCoded(await store.died, "unavailable"));
    await store.close();
    const closed = await openAt(await newPath(t));
    await closed.close();
    const died = closed.died.then(() => "died");
    assert.notEqual(await Promise.race([died, new Promise(setImmediate)]), "died");
  });
});

describe("stats()", () => {
  it("shows that calls share commits", async (t) => {
    const store = await openAt(await newPath(t));
    const calls = Array.from(
      { length: 500 },
      async () => await asTestStore(store).call("increment", { name: "n" }),
    );
    await Promise.all(calls);
    const { calls: count, groups, commits } = store.stats();
    assert.equal(count, 500);
    assert.ok(commits < 50 && commits <= groups, `${commits} commits in ${groups} groups`);
    await store.close();
  });

  it("shows that reading writes nothing to the disk", async (t) => {
    const path = await newPath(t);
    const store = await openAt(path);
    await asTestStore(store).call("increment", { name: "n" });
    const before = await stat(`${path}-wal`, { bigint: true });
    await Promise.all(
      Array.from(
        { length: 50 },
        async () => await asTestStore(store).call("readCounter", { name: "n" }),
      ),
    );
    const after = await stat(`${path}-wal`, { bigint: true });
    assert.deepEqual([after.size, after.mtimeNs], [before.size, before.mtimeNs]);
    assert.equal(store.stats().commits, 1);
    await store.close();
  });
});

function startIncrementing(t: TestContext, path: string): ChildProcess {
  const program = fileURLToPath(new URL("../testing/incrementing-process.ts", import.meta.url));
  const child = spawn(process.execPath, [program, path], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

function linesOf(child: ChildProcess): ReturnType<typeof createInterface> {
  return createInterface({ input: child.stdout! });
}

/** Kills the process once it has acknowledged `count` calls; gives back the highest acknowledged value. */
async function killAfter(child: ChildProcess, count: number): Promise<number> {
  let highest = 0;
  let seen = 0;
  for await (const line of linesOf(child)) {
    highest = Math.max(highest, Number(line));
    if (++seen === count) child.kill("SIGKILL");
  }
  return highest;
}

async function openAt(path: string): Promise<SqliteMetadata> {
  return await openSqliteMetadata({ path, log: silentLog, module });
}

async function newPath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mammoth-metadata-"));
  t.after(async () => {
    await rm(folder, { recursive: true, force: true });
  });
  return join(folder, "metadata.db");
}
