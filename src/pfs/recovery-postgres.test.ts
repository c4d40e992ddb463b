// Goal: metadata is recovered from one kind of database into another, by the same transactions. Method: a
// short history on a real PostgreSQL server, recovered into a second database of it and into SQLite.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { silentLog } from "../base/log.ts";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { localPrincipal } from "../model/principal.ts";
import { openInlineSqliteMetadata, openSharedMetadata } from "../metadata/index.ts";
import { PostgresServer, postgresPrograms } from "../metadata/testing/postgres-server.ts";
import { openMemObjectStore } from "../objectstore/index.ts";
import { recoverMetadata } from "../storage/index.ts";
import { deleteRepo } from "./repos.ts";
import { never, TestPfs } from "./testing/open-test-pfs.ts";
import { visible } from "./testing/visible.ts";

const skip = postgresPrograms() === undefined ? "PostgreSQL is not installed" : false;

test("what PostgreSQL knew comes back in another database, and in SQLite", { skip }, async () => {
  const server = await PostgresServer.open();
  const clock = systemClock();
  const objects = openMemObjectStore();
  const opened: TestPfs[] = [];
  const onPostgres = async (): Promise<TestPfs> => {
    const metadata = await openSharedMetadata({ url: await server.newDatabase(), log: silentLog });
    const pfs = new TestPfs(opened.length, {
      objects,
      metadata,
      clock,
      session: `s${opened.length}`,
    });
    opened.push(pfs);
    return pfs;
  };
  try {
    const pfs = await onPostgres();
    await pfs.deps.storage.claimStore(never);
    for (const repo of ["data", "gone"]) await pfs.repo(repo);
    await pfs.repo("made", "data");
    await pfs.commit("gone", { f: "x" });
    await deleteRepo(pfs.deps, localPrincipal, { name: "gone", force: false });
    const id = await pfs.commit("data", { "dir/f": "one" });
    await pfs.commit("made", { f: "two" }, { provenance: [{ repo: "data", id }] });
    await pfs.cancel({ repo: "data", id: await pfs.start("data") });
    await pfs.deps.storage.drainInline(never, { force: true });
    await pfs.deps.storage.writeJournal(never);
    const before = await visible(pfs);
    assert.equal(Object.keys(before.commits).length, 3);
    const sqlite = new TestPfs(9, {
      objects,
      metadata: openInlineSqliteMetadata({ clock }),
      clock,
    });
    opened.push(sqlite);
    for (const back of [await onPostgres(), sqlite]) {
      const { metadata } = back.deps;
      await recoverMetadata({ objects, metadata, random: systemRandom, log: silentLog }, never);
      await back.deps.storage.claimStore(never);
      assert.deepEqual(await visible(back), before);
      assert.equal(await back.commit("data", { g: "new" }), "master/2");
    }
  } finally {
    for (const pfs of opened) await pfs.close();
    await server.close();
  }
});
