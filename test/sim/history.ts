import { strict as assert } from "node:assert";

/** An append, with when its request was first sent and when it was answered. */
export interface Append {
  readonly line: string;
  readonly sent: number;
  readonly answered: number;
}

/**
 * Checks that lines are what a history of appends may leave: each exactly once, nothing else, and one that
 * was answered before another was sent comes before it, whoever sent them.
 */
export function assertHistory(lines: readonly string[], appends: readonly Append[]): void {
  assert.deepEqual(lines.toSorted(), appends.map(({ line }) => line).toSorted());
  const byLine = new Map(appends.map((append) => [append.line, append] as const));
  let latestSent: Append | undefined;
  for (const line of lines) {
    const append = byLine.get(line)!;
    assert.ok(
      latestSent === undefined || append.answered >= latestSent.sent,
      `"${line}", answered before "${latestSent?.line}" was sent, comes after it`,
    );
    if (latestSent === undefined || append.sent > latestSent.sent) latestSent = append;
  }
}
