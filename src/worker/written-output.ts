import type { ViewFile } from "./worker-host.ts";
import type { OutputFs } from "./output-walk.ts";

/** A file of an output that was changed through a mount. */
interface WrittenFile {
  /** Its path in the output before, when it was inherited. */
  readonly origin: string | undefined;
  /** What was done to what was inherited. */
  readonly change: "none" | "append" | "replace";
  readonly bytes: number;
  readonly inheritedBytes: number;
  read(range: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
}

/** An output that was changed through a mount, which saw how. */
export interface WrittenOutput extends OutputFs {
  /** The path in the output before of what stands at a path; undefined when it was not inherited. */
  originOf(path: string): Promise<string | undefined>;
  /**
   * What was inherited directly in a directory `path`, which leads to one at `real` now: all of it, or only what may not be
   * there any more.
   */
  inheritedIn(path: string, real: string): Promise<readonly Pick<ViewFile, "path" | "type">[]>;
  file(path: string): Promise<WrittenFile>;
}
