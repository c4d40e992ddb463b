import { createHash } from "node:crypto";
import { nextTurn } from "../base/next-turn.ts";
import { MiB } from "../base/size.ts";

/** A millisecond or two of hashing; then others have their turn. */
const hashedAtOnceBytes = MiB;

/** Computes the name of a block in the 1.2 series: SHA-512 of its bytes in base64, the URL alphabet with padding. */
export class BlockHasher {
  private readonly hasher = createHash("sha512");

  async add(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length; start += hashedAtOnceBytes) {
      this.hasher.update(bytes.subarray(start, start + hashedAtOnceBytes));
      await nextTurn();
    }
  }

  id(): string {
    return this.hasher.digest("base64").replaceAll("+", "-").replaceAll("/", "_");
  }
}

/** Whether a text has the form of a block's name. */
export function isBlockId(text: string): boolean {
  return /^[A-Za-z0-9_-]{86}==$/.test(text);
}
