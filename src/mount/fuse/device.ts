/** A request of the kernel, in memory of the device. */
export interface TakenRequest {
  readonly bytes: Buffer;
  /** Nobody looks at the bytes any more. */
  readonly giveBack: () => void;
}

/** The open `/dev/fuse` of one mount. */
export interface Device {
  /** Waits for a request; undefined when the mount has ended. As long as too many were not given back, there is none. */
  read(): Promise<TakenRequest | undefined>;
  /** Sends one answer. One that the kernel does not want any more is dropped. */
  write(parts: readonly Uint8Array[]): void;
}
