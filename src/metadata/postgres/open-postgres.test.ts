import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { Client } from "pg";
import { CodedError, isCoded } from "../../base/errors.ts";
import { silentLog } from "../../base/log.ts";
import { metadataConformance } from "../testing/conformance.ts";
import { PostgresServer, postgresPrograms } from "../testing/postgres-server.ts";
import { asTestStore, migrations, procedures, type TestStore } from "../testing/test-procedures.ts";
import { openPostgresMetadata, type PostgresMetadata } from "./open-postgres.ts";

const module = { procedures, migrations };
const skip = postgresPrograms() === undefined ? "PostgreSQL is not installed" : false;

describe("PostgreSQL", { skip }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await PostgresServer.open();
  });
  after(async () => {
    await server.close();
  });

  const openAt = async (url: string): Promise<PostgresMetadata> =>
    await openPostgresMetadata({ url, log: silentLog, module });

  const openNew = async (t: TestContext, url: string): Promise<TestStore> => {
    const store = await openAt(url);
    t.after(async () => {
      await store.close();
    });
    return asTestStore(store);
  };

  metadataConformance("postgres", async () => {
    const url = await server.newDatabase();
    return { open: async () => await openAt(url) };
  });

  it("runs the product's own schema", async () => {
    const url = await server.newDatabase();
    const store = await openPostgresMetadata({ url, log: silentLog });
    assert.deepEqual(await store.call("listRepos", { provenance: [] }), []);
    await store.close();
  });

  it("call() isolates two stores from each other", async (t) => {
    const url = await server.newDatabase();
    const stores = [await openNew(t, url), await openNew(t, url)];
    const values = await Promise.all(
      Array.from({ length: 200 }, (_, i) => stores[i % 2]!.call("readThenWrite", { name: "n" })),
    );
    assert.equal(new Set(values).size, 200);
  });

  it("call() neither loses nor doubles what was under way when the server was killed", async (t) => {
    const store = await openNew(t, await server.newDatabase());
    let acknowledged = 0;
    let isOver = false;
    const writers = Array.from({ length: 6 }, async () => {
      while (!isOver) {
        await store.call("increment", { name: "n" });
        acknowledged++;
      }
    });
    for (let round = 0; round < 3; round++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      await server.kill();
      await server.start();
    }
    isOver = true;
    await Promise.all(writers);
    assert.ok(acknowledged > 20);
    assert.equal(await store.call("readCounter", { name: "n" }), acknowledged);
  });

  it("migrates an older store after a copy, under a lock, and refuses a newer one", async () => {
    const url = await server.newDatabase();
    const first = await openAt(url);
    await asTestStore(first).call("increment", { name: "kept" });
    await first.close();
    const next = { version: 2, statements: [`ALTER TABLE counters ADD COLUMN more BIGINT`] };
    const broken = { version: 2, statements: [...next.statements, `SELEKT`] };
    const open = async (step: typeof next): Promise<PostgresMetadata> =>
      await openPostgresMetadata({
        url,
        log: silentLog,
        module: { procedures, migrations: [...migrations, step] },
      });
    await assert.rejects(open(broken));
    const both = await Promise.all([open(next), open(next)]);
    assert.equal(await asTestStore(both[0]).call("readCounter", { name: "kept" }), 1);
    for (const store of both) await store.close();
    const client = new Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query(`SELECT value FROM mammoth_backup_v1.counters`);
    assert.deepEqual(rows, [{ value: "1" }]);
    await client.end();
    await assert.rejects(
      openAt(url),
      (thrown) =>
        isCoded(thrown, "failed_precondition") && /version 2.*up to 1/.test(thrown.message),
    );
  });

  it("topics reach other stores, not the one that gave them", async () => {
    const url = await server.newDatabase();
    const [a, b] = [await openAt(url), await openAt(url)];
    const heard: string[] = [];
    a.topics.onGiven((topic) => heard.push(`a ${topic}`));
    const woken = new Promise<void>((resolve) => {
      b.topics.onGiven((topic) => {
        heard.push(`b ${topic}`);
        if (topic === "last") resolve();
      });
    });
    a.topics.give("commits");
    a.topics.give("commits");
    a.topics.give("last");
    await woken;
    assert.deepEqual(heard, ["b commits", "b last"]);
    await Promise.all([a.close(), b.close()]);
  });

  it("call() reads what is to be journaled while others write", async () => {
    const url = await server.newDatabase();
    const store = await openPostgresMetadata({ url, log: silentLog });
    await store.call("createRepo", { name: "data", provenance: [] });
    const writing = new Client({ connectionString: url });
    await writing.connect();
    await writing.query("BEGIN; LOCK TABLE write_turns IN EXCLUSIVE MODE");
    const { records } = await store.call("readJournalBatch", { limit: 10 });
    assert.deepEqual(
      records.map(({ subject }) => subject),
      ["data"],
    );
    await writing.end();
    await store.close();
  });

  it("says what is wrong with an address and what to do, without the password", async () => {
    const refusals: string[] = [];
    const refuse = async (change: (url: URL) => void): Promise<void> => {
      const url = new URL(await server.newDatabase());
      url.password = "secret";
      change(url);
      await assert.rejects(openAt(url.href), (thrown) => {
        assert.ok(thrown instanceof CodedError);
        assert.doesNotMatch(thrown.message, /secret/);
        refusals.push(`${thrown.code}: ${thrown.message}`);
        return true;
      });
    };
    await refuse((url) => {
      url.port = "1";
    });
    await refuse((url) => {
      url.username = "nobody";
    });
    await refuse((url) => {
      url.pathname = "/nowhere";
    });
    await refuse((url) => {
      url.search = "?options=-c%20default_transaction_read_only%3Don";
    });
    await server.query(`CREATE ROLE crowded LOGIN CONNECTION LIMIT 0`);
    await refuse((url) => {
      url.username = "crowded";
    });
    for (const [i, expected] of [
      /^unavailable: .*cannot be reached \(.*ECONNREFUSED.*Look at the server/,
      /^permission_denied: .*role "nobody" does not exist.*Look at the user/,
      /^permission_denied: .*"nowhere" does not exist.*createdb/,
      /^unavailable: .*takes no writes.*not of a copy/,
      /^unavailable: .*no connection left.*max_connections/,
    ].entries())
      assert.match(refusals[i] ?? "", expected);
  });

  it("call() waits for its turn, and not for ever when the one before stands still", async (t) => {
    const url = await server.newDatabase();
    const store = await openNew(t, url);
    assert.equal(await store.call("increment", { name: "n" }), 1);
    const frozen = new Client({
      connectionString: url,
      idle_in_transaction_session_timeout: 500,
    });
    frozen.on("error", () => undefined);
    await frozen.connect();
    await frozen.query("BEGIN; LOCK TABLE write_turns IN EXCLUSIVE MODE");
    assert.equal(await store.call("readCounter", { name: "n" }), 1);
    assert.equal(await store.call("increment", { name: "n" }), 2);
    await frozen.end().catch(() => undefined);
  });
});
