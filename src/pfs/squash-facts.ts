import { isBelow, type Entry } from "../storage/index.ts";
import { takesAway } from "./takes-away.ts";

/** What is noted about deltas while they are squashed into one. */
export class SquashFacts {
  /** Says of paths that they are, of none that it goes or was replaced. */
  isStanding = true;
  private hasBareDirectory = false;
  private files = 0;
  private squashedFiles = 0;

  /** A delta, as it passes. */
  async *watch(delta: AsyncIterable<Entry> | Iterable<Entry>): AsyncGenerator<Entry, void, void> {
    let directory: Buffer | undefined;
    for await (const entry of delta) {
      if (directory !== undefined && !isBelow(entry.key, directory)) this.hasBareDirectory = true;
      directory = entry.type === "dir" ? entry.key : undefined;
      if (entry.type === "file") this.files++;
      if (takesAway(entry)) this.isStanding = false;
      yield entry;
    }
    if (directory !== undefined) this.hasBareDirectory = true;
  }

  /** What became of them, as it passes. */
  async *watchSquashed(delta: AsyncIterable<Entry>): AsyncGenerator<Entry, void, void> {
    for await (const entry of delta) {
      if (entry.type === "file") this.squashedFiles++;
      yield entry;
    }
  }

  /**
   * No file is of two of the deltas, and a directory is there because of the files in it: what one of them
   * said can be taken back, and nothing else goes with it.
   */
  get isDisjoint(): boolean {
    return this.isStanding && !this.hasBareDirectory && this.files === this.squashedFiles;
  }
}
