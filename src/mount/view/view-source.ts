import type { ByteRange, DirectoryPage, ViewFile, ViewRef } from "../../model/claimed-task.ts";

/** Where views are read from. What fails with `unavailable` is asked again. */
export interface ViewSource {
  listDirectory(
    view: ViewRef,
    wanted: DirectoryPage,
    signal: AbortSignal,
  ): Promise<readonly ViewFile[]>;
  findFile(view: ViewRef, path: string, signal: AbortSignal): Promise<ViewFile | undefined>;
  /** A slice is good until the next is asked for. */
  readFile(
    view: ViewRef,
    path: string,
    signal: AbortSignal,
    range: ByteRange,
  ): AsyncIterable<Uint8Array>;
}
