/** Bytes of a draft on their way to the commit, in one atomic write. */
export interface DraftPart {
  readonly sizeBytes: number;
  /** They begin where the file begins. Sent once more, they replace what is there. */
  readonly isWhole: boolean;
  /** What the commit has goes first; else they are appended. */
  readonly overwrite: boolean;
  /** By which one that is sent twice is recognised. */
  readonly key: string;
  readonly bytes: () => AsyncIterable<Uint8Array>;
}

/** How a part is sent: settles when it is durable. */
export type Put = (part: DraftPart) => Promise<void>;

/** All bytes of a part that is small. */
export async function wholeOf(part: DraftPart): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of part.bytes()) pieces.push(piece);
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}
