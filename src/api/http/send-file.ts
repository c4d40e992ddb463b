import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { CodedError } from "../../base/errors.ts";
import { KiB } from "../../base/size.ts";
import type { openFile } from "../../pfs/index.ts";
import { signalOf } from "./request-context.ts";
import { sendParts } from "./send-parts.ts";

/** Up to this length one buffer costs less than a stream. */
const wholeBytesMax = 64 * KiB;

/** A file opened for reading. */
export type OpenFile = Awaited<ReturnType<typeof openFile>>;

/** Answers with a file, or the range of it that the request asks for. */
export async function sendFile(
  file: Pick<OpenFile, "bytes" | "digest" | "read" | "free">,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const range = rangeOf(request.headers.range, file.bytes);
  const { start, end } = range ?? { start: 0, end: file.bytes };
  if (range !== undefined)
    void reply.code(206).header("content-range", `bytes ${start}-${end - 1}/${file.bytes}`);
  void reply
    .header("accept-ranges", "bytes")
    .header("etag", `"${file.digest}"`)
    .header("content-length", end - start);
  void reply.type("application/octet-stream");
  // No body at all would make it a length of 0.
  if (request.method === "HEAD") return await reply.send(Readable.from([]));
  const signal = signalOf(reply);
  const parts = file.read({ start, end }, signal);
  const free = (part: Buffer): void => file.free(part);
  if (end - start <= wholeBytesMax)
    return await reply.send(await copied(parts, { bytes: end - start, free }));
  return await sendParts(reply, parts, { free, signal });
}

/** A few bytes out of chunks that may be a hundred times as long, and would be left to garbage collection. */
async function copied(
  parts: AsyncIterable<Buffer>,
  { bytes, free }: { bytes: number; free: (part: Buffer) => void },
): Promise<Buffer> {
  const all = Buffer.allocUnsafe(bytes);
  let used = 0;
  for await (const part of parts) {
    used += part.copy(all, used);
    free(part);
  }
  return all.subarray(0, used);
}

/** `bytes=a-b`, `bytes=a-` or `bytes=-n`; anything else means all of it (RFC 9110 14.2). */
export function rangeOf(
  header: string | undefined,
  bytes: number,
): { start: number; end: number } | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  const first = match[1] === "" ? Math.max(0, bytes - Number(match[2])) : Number(match[1]);
  const end = match[1] === "" || match[2] === "" ? bytes : Math.min(bytes, Number(match[2]) + 1);
  if (first < end) return { start: first, end };
  if (match[1] !== "" && match[2] !== "" && Number(match[1]) > Number(match[2])) return undefined;
  throw new CodedError("out_of_range", `Cannot read ${header}: the file has ${bytes} bytes`);
}
