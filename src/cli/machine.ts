/** The machine that a command runs on: what doctor asks about it, and its images. */
export interface Machine {
  /** The folder that holds everything of a pachd started here without options. */
  readonly root: string;
  /** Whether commands can run in namespaces of their own; the reason says why not, and what helps. */
  probeNamespaces(): Promise<{ readonly works: boolean; readonly reason: string }>;
  /** Room on the disk of a folder, or of the nearest folder above it that there is. */
  diskRoom(folder: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
  /** Whether this process may read and write a device. */
  canUse(device: string): Promise<"yes" | "denied" | "missing">;
  /** Runs a program to its end, 10 s at most; undefined when there is no such program. */
  run(
    program: string,
    args: readonly string[],
  ): Promise<{ readonly code: number; readonly output: string } | undefined>;
  /** Pushes an image of the Docker here; the name by which it can be pulled. */
  pushImage(
    request: {
      readonly image: string;
      readonly registry: string;
      readonly username?: string;
      readonly password?: string;
    },
    signal: AbortSignal,
  ): Promise<string>;
}
