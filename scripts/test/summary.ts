import type { TestEvent } from "node:test/reporters";

/** What has to stand at the end of the output, collected while the tests run. */
export class Summary {
  private readonly skips = new Map<string, number>();
  private readonly totals: string[] = [];

  /** Takes note of an event. True when the event is part of the summary, to be printed at the end alone. */
  note(event: TestEvent): boolean {
    if (event.type === "test:pass" && event.data.skip !== undefined && event.data.skip !== false) {
      const why = typeof event.data.skip === "string" ? event.data.skip : "no reason given";
      this.skips.set(why, (this.skips.get(why) ?? 0) + 1);
    }
    if (event.type !== "test:diagnostic" || event.data.nesting !== 0) return false;
    if (
      !/^(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/.test(
        event.data.message,
      )
    )
      return false;
    this.totals.push(event.data.message);
    return true;
  }

  get skipped(): number {
    return [...this.skips.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Why tests were skipped, then the totals in node's own words: CI reads these from the last lines. */
  lines(): string[] {
    const skips = [...this.skips].map(([why, count]) => `skipped: ${count} (${why})`);
    return [...skips, ...this.totals.map((total) => `ℹ ${total}`)];
  }
}
