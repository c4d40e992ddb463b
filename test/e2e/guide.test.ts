// Goal: what the guide and the pages for operators show is true. Method: type each page's commands at a daemon of its own, in an empty
// folder, and compare what they print.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { testTour } from "./testing/tour.ts";

const docs = new URL("../../docs/", import.meta.url);
const pages = ["guide", "operations"].flatMap((folder) =>
  readdirSync(new URL(folder, docs)).map((name) => `${folder}/${name}`),
);

for (const name of pages) {
  const page = readFileSync(new URL(name, docs), "utf8");
  if (!page.includes("<!-- tour")) continue;
  test(`docs/${name} prints what it says`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "mammoth-guide-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    await testTour(t, page, folder);
  });
}
