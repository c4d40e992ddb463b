import { createHash, hash } from "node:crypto";

/** SHA-256 of one buffer. One-shot: twice as fast as the streaming object for small inputs. */
export function sha256(bytes: Uint8Array): Buffer {
  return hash("sha256", bytes, "buffer");
}

/** The same in hex; at once, which is twice as fast again. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
}

/** SHA-256 of several buffers, as if joined. */
export function sha256Of(parts: Iterable<Uint8Array>): Buffer {
  const hasher = createHash("sha256");
  for (const part of parts) hasher.update(part);
  return hasher.digest();
}

const adlerPrime = 65_521;

/** Adler-32 (RFC 1950), which Pachyderm shards by. */
export function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let i = 0; i < bytes.length; i++) {
    a = (a + bytes[i]!) % adlerPrime;
    b = (b + a) % adlerPrime;
  }
  return ((b << 16) | a) >>> 0;
}
