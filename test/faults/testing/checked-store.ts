import { strict as assert } from "node:assert";
import type { FsckLine } from "../../../src/model/finding.ts";
import type { TestDaemon } from "../../e2e/testing/daemon.ts";

/** fsck, with every byte read: what is recorded is there, and nothing refers to nothing. */
export async function assertNoFindings(daemon: TestDaemon): Promise<void> {
  const response = await daemon.fetch("/fsck?readData=true", { method: "POST" });
  const lines = (await response.text())
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as FsckLine);
  const bad = lines.filter((line) => !("summary" in line));
  assert.deepEqual(bad, [], "findings of fsck");
  assert.equal(lines.length, 1, "fsck ended with a summary");
}

/** Calls the daemon was asked for in vain are coded, and none is a mistake of ours. */
export function assertNoMistakes(daemon: TestDaemon): void {
  assert.doesNotMatch(daemon.log, /a request failed for a reason of ours|failed unexpectedly/);
}
