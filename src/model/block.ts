/** A block that was put by itself. */
export interface BlockInfo {
  /** SHA-512 of its bytes: base64 in the alphabet for URLs, with padding. */
  readonly id: string;
  readonly bytes: number;
  readonly createdMicros: number;
}
