import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { procedures } from "../testing/test-procedures.ts";
import { Engine, type Answer, type Call, type Placed } from "./engine.ts";

const nowMicros = 1;
const increment = (name: string): Call => ({ name: "increment", input: { name }, nowMicros });
const runSql = (...sql: string[]): Call => ({
  name: "runSql",
  input: sql.map((one) => ({ sql: one })),
  nowMicros,
});

function openEngine(): { engine: Engine; database: DatabaseSync } {
  const database = new DatabaseSync(":memory:");
  database.exec(`CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)`);
  return { engine: new Engine(database, { procedures }), database };
}

function codeOf(answer: Answer | undefined): string {
  return answer !== undefined && "refusal" in answer ? answer.refusal.code : "answered";
}

describe("runGroup()", () => {
  it("answers every call with the refusal when the commit fails, and goes on", async () => {
    const { engine, database } = openEngine();
    // A deferred foreign key is checked at the commit: the one way to make a commit fail at will.
    database.exec(
      `CREATE TABLE owned (name TEXT REFERENCES counters (name) DEFERRABLE INITIALLY DEFERRED)`,
    );
    const { answers, committed } = await engine.runGroup([
      increment("a"),
      runSql(`INSERT INTO owned (name) VALUES ('nobody')`),
      increment("b"),
    ]);
    assert.deepEqual(answers.map(codeOf), ["internal", "internal", "internal"]);
    assert.equal(committed, false);
    const next = await engine.runGroup([increment("a"), runSql(`SELECT * FROM owned`)]);
    assert.deepEqual(next, { answers: [{ output: 1 }, { output: [] }], committed: true });
  });

  it("acknowledges nothing that a full disk undid, and goes on", async () => {
    const { engine, database } = openEngine();
    database.exec(`CREATE TABLE filler (bytes BLOB)`);
    database.exec(`PRAGMA max_page_count = 40`);
    const fill = runSql(`INSERT INTO filler (bytes) VALUES (zeroblob(1000000))`);
    const { answers } = await engine.runGroup([increment("a"), fill, increment("b")]);
    assert.equal(codeOf(answers[1]), "resource_exhausted");
    const { answers: after } = await engine.runGroup([
      runSql(`SELECT count(*) AS n FROM counters`),
      increment("c"),
    ]);
    const acknowledged = [answers[0], answers[2]].filter(
      (one) => codeOf(one) === "answered",
    ).length;
    assert.deepEqual(after[0], { output: [{ n: acknowledged }] });
    assert.equal(codeOf(after[1]), "answered");
  });

  it("refuses the whole group when SQLite gave up its transaction, even if a call hides it", async () => {
    const { engine, database } = openEngine();
    const hide = { name: "hide", input: null, nowMicros };
    // ROLLBACK stands for the failures at which SQLite rolls back by itself.
    const rollBack = async (tx: { run(sql: string): Promise<number> }): Promise<void> => {
      await tx.run(`ROLLBACK`);
      await tx.run(`INSERT INTO counters (name, value) VALUES ('stray', 1)`).catch(() => 0);
    };
    const hiding = new Engine(database, { procedures: { ...procedures, hide: rollBack } });
    const { answers } = await hiding.runGroup([increment("a"), hide, increment("b")]);
    assert.deepEqual(answers.map(codeOf), ["internal", "internal", "internal"]);
    const { answers: after } = await engine.runGroup([runSql(`SELECT name FROM counters`)]);
    assert.deepEqual(after, [{ output: [] }]);
  });

  it("waits for the disk unless every call of the group is relaxed", async () => {
    const { database } = openEngine();
    const engine = new Engine(database, { procedures, relaxed: ["increment"] });
    const synchronous = async (...calls: Call[]): Promise<unknown> => {
      await engine.runGroup(calls);
      return database.prepare("PRAGMA synchronous").get()?.["synchronous"];
    };
    const [normal, full] = [1, 2];
    assert.equal(await synchronous(increment("a")), normal);
    assert.equal(await synchronous(increment("a"), runSql(`SELECT 1`)), full);
    assert.equal(await synchronous(runSql(`SELECT 1`)), full);
    assert.equal(await synchronous(increment("a"), increment("b")), normal);
  });

  it("tells whether the group had to reach the disk", async () => {
    const { engine } = openEngine();
    const read = runSql(`SELECT 1 AS one`);
    assert.equal((await engine.runGroup([read, increment("a")])).committed, true);
    assert.equal((await engine.runGroup([read, read])).committed, false);
  });

  it("tells early what was read before anything changed, though it was asked later", async () => {
    const { engine } = openEngine();
    const read: Call = { name: "readCounter", input: { name: "a" }, nowMicros };
    const told: (readonly Placed[])[] = [];
    const run = async (...calls: Call[]): Promise<unknown[]> => {
      told.length = 0;
      const { answers } = await engine.runGroup(calls, (early) => told.push(early));
      return answers.map((answer) => (answer as { output: unknown }).output);
    };
    // Nobody knows yet what writes: a call that turns out to is late, and so is what comes after it.
    assert.deepEqual(await run(read, increment("a"), read), [0, 1, 1]);
    assert.deepEqual(told, [[[0, { output: 0 }]]]);
    assert.deepEqual(await run(increment("a"), read), [2, 1]);
    assert.deepEqual(told, [[[1, { output: 1 }]]]);
    // Nothing waits for the disk, so nothing is early.
    assert.deepEqual(await run(read, read), [2, 2]);
    assert.deepEqual(told, []);
    assert.deepEqual(await run(increment("a"), increment("a")), [3, 4]);
    assert.deepEqual(told, []);
  });

  it("calls an unknown transaction internal", async () => {
    const { engine } = openEngine();
    const { answers } = await engine.runGroup([
      { name: "toString", input: null, nowMicros },
      increment("a"),
    ]);
    assert.deepEqual(answers.map(codeOf), ["internal", "answered"]);
  });
});
