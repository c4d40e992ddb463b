/** Small files, read together. */
export interface SmallFiles {
  /** Their contents, one after the other. */
  readonly contents: Buffer;
  /**
   * Bytes of each of the first files that were asked for, as many as fit; undefined for a file that is no
   * small one and has nothing in `contents`.
   */
  readonly sizes: readonly (number | undefined)[];
}

export interface WriteOptions {
  readonly offset: number;
  /** What is at the offset: who asks for the write has put it there, and so can write this very file. */
  readonly mark: string;
  /** Told of each part that the system has taken. */
  readonly free: (part: Buffer) => void;
}

/** Files of this machine, named by absolute paths, for whoever may read what we may. */
export interface LocalFiles {
  /**
   * Reads files up to 128 KiB whole: at least the first, and as many as fit into 1 MiB.
   *
   * @throws CodedError `not_found`, `permission_denied`, or `invalid_argument` for what is no file
   */
  readSmall(paths: readonly string[]): Promise<SmallFiles>;
  /**
   * Bytes of a file from an offset on, to its end or `bytesMax` of them: pieces of 1 MiB, each good until
   * the next is asked for.
   *
   * @throws CodedError as above
   */
  read(
    path: string,
    range: { readonly offset: number; readonly bytesMax: number },
  ): AsyncIterable<Uint8Array>;
  /**
   * Writes parts into a file that is there, one behind the other from an offset on. Gives back how many bytes.
   *
   * @throws CodedError as above, `permission_denied` when the mark is not there, and `resource_exhausted` when the disk
   *   is full
   */
  write(path: string, parts: AsyncIterable<Buffer>, options: WriteOptions): Promise<number>;
  close(): Promise<void>;
}
