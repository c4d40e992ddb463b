import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { DiskReserve } from "./disk-reserve.ts";

it("keep() sets aside 4 MiB once, lend() leaves them where there is room, giveUp() gives them up once", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "mammoth-reserve-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const reserve = new DiskReserve(join(folder, "mammoth.db"));
  assert.equal(reserve.giveUp(), false);
  reserve.keep();
  reserve.keep();
  reserve.lend();
  assert.equal(statSync(join(folder, "mammoth.db.reserve")).size, 4 * 1024 * 1024);
  assert.equal(reserve.giveUp(), true);
  assert.equal(reserve.giveUp(), false);
});

it("keep() is silent where nothing can be written", () => {
  const reserve = new DiskReserve("/nowhere/mammoth.db");
  reserve.keep();
  assert.equal(reserve.giveUp(), false);
});
