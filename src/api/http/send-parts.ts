import { once } from "node:events";
import type { OutgoingHttpHeaders } from "node:http";
import type { FastifyError, FastifyReply } from "fastify";

/**
 * Sends the body of an answer part by part; `free` is told of each part that the system has taken. What fails
 * before the first one is an error like any other, what fails later breaks the connection off.
 *
 * @param options.signal fires when the caller has gone away
 */
export async function sendParts(
  reply: FastifyReply,
  parts: AsyncIterable<Buffer>,
  { free, signal }: { free: (part: Buffer) => void; signal: AbortSignal },
): Promise<FastifyReply> {
  const reading = parts[Symbol.asyncIterator]();
  let next = await reading.next();
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(reply.statusCode, reply.getHeaders() as OutgoingHttpHeaders);
  try {
    for (; next.done !== true; next = await reading.next()) {
      const part = next.value;
      const hasRoom = raw.write(part, () => {
        free(part);
      });
      if (!hasRoom) await once(raw, "drain", { signal });
    }
    raw.end();
  } catch (error) {
    reply.server.errorHandler(error as FastifyError, reply.request, reply);
  } finally {
    await reading.return?.();
  }
  return reply;
}
