import { Agent, request, type ClientRequest, type IncomingMessage } from "node:http";
import { KiB } from "../../base/size.ts";
import type { ServerAddress } from "../../runner/index.ts";

/** A body on its way to a server. */
export interface Post {
  /** Path of the URL, escaped. */
  readonly path: string;
  /** The file's own name, for a server that has one route for all. */
  readonly name: string;
  readonly bytes: number;
  /** From the first byte, each time it is called. A piece is good until the next is asked for. */
  readonly body: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
  /** Takes the body of a good answer; it is one only if that ends without an error. */
  readonly save: (answer: AsyncIterable<Uint8Array>) => Promise<void>;
}

/** What a server said. */
export interface PostAnswer {
  readonly status: number;
  /** Status, its name, and the first line of the body of what is no good answer. */
  readonly text: string;
}

/** Sent in one piece together with the head. */
const wholeBytesMax = 64 * KiB;
/** So much of a refusal is read. */
const refusalBytesMax = 4 * KiB;
const lineCharactersMax = 200;

/** Connections to one server, used again. */
export function openAgent(parallel: number): Agent {
  return new Agent({ keepAlive: true, maxSockets: parallel, maxFreeSockets: parallel });
}

/**
 * Makes one request. A 2xx answer is complete and saved when this resolves. Ends with `overdue`; with the signal when
 * whoever fires it destroys the agent.
 *
 * @throws what the connection, the source of the body or `save` failed with
 */
export async function post(
  { agent, address }: { agent: Agent; address: ServerAddress },
  wanted: Post,
  signal: AbortSignal,
  overdue?: AbortSignal,
): Promise<PostAnswer> {
  signal.throwIfAborted();
  const call = request({
    agent,
    ...address,
    path: wanted.path,
    method: "POST",
    headers: {
      "content-type": "application/text",
      "content-length": wanted.bytes,
      "x-file": encodeURIComponent(wanted.name),
    },
    ...(overdue === undefined ? {} : { signal: overdue }),
  });
  let answer: IncomingMessage | undefined;
  const answering = answerOf(call).then((came) => (answer = came));
  try {
    const sending = send(call, wanted, { signal, isAnswered: () => answer !== undefined });
    answer = await Promise.race([answering, sending.then(async () => await answering)]);
    const status = answer.statusCode ?? 0;
    if (status < 200 || status > 299) return { status, text: await refusalOf(answer) };
    await wanted.save(wholeAnswer(answer));
    return { status, text: "" };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    // After a whole exchange the connection is the agent's again, and this does nothing to it.
    if (!call.writableFinished || answer?.complete !== true) call.destroy();
  }
}

async function answerOf(call: ClientRequest): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    call.once("response", resolve);
    // For all its life: an error that comes late is nobody's.
    call.on("error", reject);
  });
}

/** Sends the body, as long as the server wants it. Rejects only for what is wrong with its source. */
async function send(
  call: ClientRequest,
  { bytes, body }: Post,
  { signal, isAnswered }: { signal: AbortSignal; isAnswered: () => boolean },
): Promise<void> {
  if (bytes <= wholeBytesMax) {
    const pieces: Buffer[] = [];
    for await (const piece of body(signal)) pieces.push(Buffer.from(piece));
    call.end(Buffer.concat(pieces));
    return;
  }
  const over = new Promise<void>((resolve) => {
    call.once("response", resolve);
    call.once("close", resolve);
  });
  for await (const piece of body(signal)) {
    if (call.destroyed || isAnswered()) return;
    const written = new Promise<void>((resolve) => void call.write(piece, () => resolve()));
    await Promise.race([written, over]);
  }
  call.end();
}

async function* wholeAnswer(answer: IncomingMessage): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of answer) yield piece as Buffer;
  if (!answer.complete) throw new Error("the answer was cut off");
}

async function refusalOf(answer: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of answer) {
      pieces.push(piece as Buffer);
      bytes += (piece as Buffer).length;
      if (bytes >= refusalBytesMax) break;
    }
  } catch {
    // The status is what counts.
  }
  const [line = ""] = Buffer.concat(pieces).toString("utf8").trim().split("\n", 1);
  const status = `${answer.statusCode} ${answer.statusMessage ?? ""}`.trim();
  return line === "" ? status : `${status}: ${line.trim().slice(0, lineCharactersMax)}`;
}
