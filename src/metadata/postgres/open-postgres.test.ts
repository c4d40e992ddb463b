import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { Client } from "pg";
import { isCoded } from "../../base/errors.ts";
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

  it("says what is wrong with an address, without the password", async () => {
    const url = "postgres://mammoth:secret@127.0.0.1:1/none";
    await assert.rejects(openAt(url), (thrown) => {
      assert.ok(isCoded(thrown, "unavailable"));
      assert.doesNotMatch(thrown.message, /secret/);
      return true;
    });
  });
});
