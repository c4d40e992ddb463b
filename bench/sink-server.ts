import { createHash } from "node:crypto";
import { createReadStream, fdatasyncSync, openSync, writeSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

// The peer of the daemon: `POST /hash` answers the SHA-256 of a body, `POST /append` appends a body to
// a file and syncs it, `GET /PATH` sends a file. Prints its port.

const journal = openSync(join(process.argv[2] ?? ".", "sink-journal"), "a");

async function hashOf(body: IncomingMessage): Promise<string> {
  const hash = createHash("sha256");
  for await (const slice of body) hash.update(slice as Buffer);
  return hash.digest("hex");
}

async function append(body: IncomingMessage): Promise<string> {
  for await (const slice of body) writeSync(journal, slice as Buffer);
  fdatasyncSync(journal);
  return "appended";
}

const server = createServer((request, response) => {
  if (request.method === "GET") {
    createReadStream(request.url ?? "/", { highWaterMark: 1 << 20 }).pipe(response);
    return;
  }
  const answer = request.url === "/hash" ? hashOf(request) : append(request);
  answer.then(
    (text) => response.end(text),
    () => response.destroy(),
  );
});

server.listen(0, "127.0.0.1", () => {
  console.log((server.address() as AddressInfo).port);
});
