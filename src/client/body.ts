import { once } from "node:events";
import type { ClientRequest } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";

/**
 * Bytes to send. A function is called anew for each try, so a lost connection is survived; a stream
 * can be sent once only, and its failure is the caller's to repeat.
 */
export type Body =
  | string
  | Uint8Array
  | AsyncIterable<Uint8Array>
  | (() => AsyncIterable<Uint8Array>);

/** Whether the same bytes can be sent a second time. */
export function isRepeatable(body: Body | undefined): boolean {
  return (
    body === undefined ||
    typeof body === "string" ||
    body instanceof Uint8Array ||
    typeof body === "function"
  );
}

/** Sends the body as it comes, never more than the socket takes, and stops when the server has answered. */
export async function sendBody(request: ClientRequest, body: Body | undefined): Promise<void> {
  if (body === undefined || typeof body === "string" || body instanceof Uint8Array) {
    request.end(body);
    return;
  }
  const answered = new AbortController();
  const stop = (): void => {
    answered.abort();
    if (typeof body === "object" && "destroy" in body && typeof body.destroy === "function")
      body.destroy();
  };
  request.once("response", stop);
  request.once("close", stop);
  for await (const chunk of typeof body === "function" ? body() : body) {
    // Two turns, so that sockets are read once in between: an answer that has arrived, from a server that
    // has closed, must be seen before a write fails with EPIPE and takes it away.
    await nextTurn();
    await nextTurn();
    if (answered.signal.aborted) return;
    if (!request.write(chunk)) await drained(request, answered.signal);
    // Not asked for more: what was given last may still be on its way out.
    if (answered.signal.aborted) return;
  }
  request.removeListener("response", stop);
  request.removeListener("close", stop);
  if (!answered.signal.aborted) request.end();
}

async function drained(request: ClientRequest, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await once(request, "drain", { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
