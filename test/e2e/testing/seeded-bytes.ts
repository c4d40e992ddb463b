import { createCipheriv, hash } from "node:crypto";

/** Repeatable bytes that do not compress, at memory speed. */
export function seededBytes(seed: string, count: number): Buffer {
  const key = Buffer.from(hash("sha256", seed, "hex").slice(0, 32), "hex");
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(count));
}
