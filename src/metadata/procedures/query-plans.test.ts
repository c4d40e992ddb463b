// Goal: no statement of a hot procedure walks a table. Method: ask SQLite for the plan of every
// statement text the procedures hold, and name the few that may scan, with the reason.
import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { migrations } from "../migrations/index.ts";

const folder = new URL("./", import.meta.url);

/** Statements that look at every row on purpose, by a part of their text. */
const mayScan = [
  // Garbage collection looks at all packs, and empties the trash.
  "FROM trash",
  "SUM(chunks) AS chunks",
  "DELETE FROM block_ids",
  "FROM sessions", // a handful
  "FROM workers", // a handful
  "SUM(size) AS total", // every few minutes, from its index
  "SELECT job_id, number, size FROM log_pieces ORDER BY number", // the first thousand, from its index
  "FROM repos ORDER BY name", // list-repo shows them all
  "FROM pipelines ORDER BY name", // list-pipeline shows them all
  "FROM jobs ORDER BY number DESC", // list-job shows them all
  "FROM mapreduce_jobs ORDER BY number DESC", // list-mapreduce shows them all
  "DELETE FROM mapreduce_jobs WHERE number >= 0", // delete-all
  "FROM jobs WHERE stages <> '' ORDER BY number DESC", // list-run shows them all
  "SELECT uid FROM commits WHERE archived = 0", // archive-all hides them all
  "SELECT name AS one FROM repos", // until the first row
  "FROM journal_dirty", // a handful: what changed lately
  "SELECT name FROM pipelines ORDER BY name", // once, in a recovery
  "AS until FROM commits", // the same
  "FROM commits c WHERE c.parent_uid IS NOT NULL", // the same
  "c.repo = repos.name AND c.state = 'finished')", // the same, or for one repo
  "SELECT COUNT(*) AS count FROM", // the same
  "UPDATE outbox SET due_micros = ?, owner = '' WHERE owner <> ''", // once, at the start
  "UPDATE leases SET until_micros = 0", // once, at the start; a handful of rows
  "SUM(stored_bytes) AS total", // once a drain, from its index
  "SELECT hash, stored_bytes FROM inline_chunks ORDER BY", // all of them, in order
  "SELECT id FROM put_blocks ORDER BY id LIMIT ?", // a page of them
  "SELECT j.id FROM jobs j JOIN jobs p ON p.id = j.parent_id WHERE j.number > ?", // once, in a restore
  "SELECT repo, upstream FROM repo_upstreams UNION", // the same
];

function statements(): string[] {
  const found: string[] = [];
  for (const file of readdirSync(folder)) {
    if (!file.endsWith(".ts") || file.endsWith(".test.ts")) continue;
    const source = readFileSync(new URL(file, folder), "utf8");
    for (const [, text = ""] of source.matchAll(/`((?:SELECT|UPDATE|DELETE)[^`]*)`/g)) {
      found.push(
        text
          .replaceAll(
            "${finishedBefore}",
            "c.state = 'finished' AND c.archived = 0 AND c.finish_number < ?",
          )
          .replaceAll("${commits}", "SELECT uid FROM commits WHERE repo = ?")
          .replaceAll("${jobs}", "SELECT id FROM jobs WHERE pipeline = ?"),
      );
    }
  }
  return found;
}

test("no statement scans a table that grows, but for those that list it", () => {
  const database = new DatabaseSync(":memory:");
  for (const migration of migrations) for (const sql of migration.statements) database.exec(sql);
  const all = statements();
  assert.ok(all.length > 80);
  const scans: string[] = [];
  for (const sql of all) {
    assert.doesNotMatch(sql, /\$\{/, sql);
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
    const scanned = plan.some(({ detail }) => /^SCAN (?!CONSTANT)(?!\()/.test(detail));
    const byState = plan.some(({ detail }) => /SEARCH k .*commits_by_state/.test(detail));
    if ((scanned || byState) && !mayScan.some((part) => sql.includes(part))) {
      scans.push(`${sql}\n  ${plan.map(({ detail }) => detail).join("\n  ")}`);
    }
  }
  assert.deepEqual(scans, []);
});
