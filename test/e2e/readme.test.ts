// Goal: the README's tour is true. Method: type its commands at a real daemon, compare what they print.
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { testTour } from "./testing/tour.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

test("the README's tour prints what the README says", async (t) => {
  await testTour(t, readFileSync(`${root}README.md`, "utf8"), root);
});
