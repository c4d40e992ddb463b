import { createReadStream } from "node:fs";
import { Agent, request, type IncomingMessage } from "node:http";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";

const agent = new Agent({ keepAlive: true });

/** Sends a body; the answer is read to its end. */
export async function send(
  url: string,
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const outgoing = request(url, { method: "POST", agent });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve).once("error", reject);
  });
  await pipeline(Readable.from(body, { objectMode: false }), outgoing);
  await drain(await answered);
}

/** Sends a file. */
export async function sendFile(url: string, path: string): Promise<void> {
  await send(url, createReadStream(path, { highWaterMark: 1 << 20 }));
}

/** Reads an answer and drops it; gives back its bytes. */
export async function receive(url: string): Promise<number> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, { agent }).once("response", resolve).once("error", reject).end();
  });
  return await drain(answer);
}

async function drain(answer: IncomingMessage): Promise<number> {
  let bytes = 0;
  answer.on("data", (part: Buffer) => {
    bytes += part.length;
  });
  await new Promise((resolve, reject) => {
    answer.once("end", resolve).once("error", reject);
  });
  if ((answer.statusCode ?? 500) >= 400) throw new Error(`the answer was ${answer.statusCode}`);
  return bytes;
}
