/** The open `/dev/fuse` of one mount. */
export interface Device {
  /** Waits for a request; its bytes in `buffer`. 0 when the mount has ended. */
  read(buffer: Buffer): Promise<number>;
  /** Sends one answer. One that the kernel does not want any more is dropped. */
  write(parts: readonly Uint8Array[]): void;
}
