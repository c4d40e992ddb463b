// Goal: the first thing a newcomer types works, and leaves nothing behind.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { root } from "../../scripts/checkout.ts";

const scratch = mkdtempSync(join(tmpdir(), "mammoth-demo-test-"));
after(() => {
  rmSync(scratch, { recursive: true });
});

test("npm run demo plays the tutorial, finds the right totals and cleans up", () => {
  const env = { ...process.env, TMPDIR: scratch };
  const played = spawnSync("sh", [`${root}/scripts/run`, "demo.ts"], { env, encoding: "utf8" });
  assert.equal(played.status, 0, played.stdout + played.stderr);
  assert.match(played.stdout, /The totals are right \(apple \d+, banana \d+, orange \d+\)/);
  assert.match(played.stdout, /\$ pachctl list-job\nID /);
  assert.deepEqual(readdirSync(scratch), []);
});
