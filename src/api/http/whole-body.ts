import type { FastifyRequest } from "fastify";
import { freeBytes } from "../../base/free-bytes.ts";

/** Bodies up to this length are read at once and stored inline with the acknowledgement. */
const smallBytesMax = 256 * 1024;

/** The body of a request: a buffer when its length says that it is small, a stream otherwise. */
export async function wholeBody(
  request: FastifyRequest,
): Promise<Buffer | AsyncIterable<Uint8Array>> {
  const length = Number(request.headers["content-length"] ?? Number.NaN);
  if (!(length <= smallBytesMax)) return freedSlices(request.raw);
  return await collect(request.raw, length);
}

/**
 * The slices of a body, each good until the next is asked for: what is copied by then is given back at
 * once, and garbage collection has little to do.
 */
export async function* freedSlices(
  body: AsyncIterable<Buffer>,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const slice of body) {
    yield slice;
    freeBytes(slice);
  }
}

/** Reads a stream of about `bytes` bytes to its end. */
export async function collect(source: AsyncIterable<Uint8Array>, bytes: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  return pieces.length === 1 && pieces[0]?.length === bytes
    ? Buffer.from(pieces[0].buffer, pieces[0].byteOffset, bytes)
    : Buffer.concat(pieces);
}
