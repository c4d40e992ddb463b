// Goal: what the guide shows is true. Method: type each page's commands at a daemon of its own, in an empty
// folder, and compare what they print.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { testTour } from "./testing/tour.ts";

const guide = new URL("../../docs/guide/", import.meta.url);

for (const name of readdirSync(guide)) {
  const page = readFileSync(new URL(name, guide), "utf8");
  if (!page.includes("<!-- tour")) continue;
  test(`docs/guide/${name} prints what it says`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "mammoth-guide-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    await testTour(t, page, folder);
  });
}
