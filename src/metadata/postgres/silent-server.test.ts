import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { systemClock } from "../../base/clock.ts";
import { isCoded } from "../../base/errors.ts";
import { silentLog } from "../../base/log.ts";
import { systemRandom } from "../../base/random.ts";
import { openPostgresMetadata } from "./open-postgres.ts";
import { openTopics, type Topics } from "./topics.ts";

const options = { timeout: 10_000 };

/** One message of PostgreSQL's protocol: a letter, the length, the content. */
function message(letter: string, content: Buffer): Buffer {
  const head = Buffer.alloc(5, letter);
  head.writeUInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
}

const authenticated = message("R", Buffer.alloc(4));
const scram = message("R", Buffer.from("\0\0\0\x0aSCRAM-SHA-256\0\0"));
const challenge = message("R", Buffer.from("\0\0\0\x0br=1"));
const ready = message("Z", Buffer.from("I"));
const done = message("C", Buffer.from("LISTEN\0"));

/** A server that answers each part a connection sends with the next of these, then says nothing. */
async function answering(
  t: TestContext,
  answersOf: (connection: number) => Buffer[],
): Promise<{ url: string; sockets: Socket[]; said: (parts: number) => Promise<void> }> {
  const sockets: Socket[] = [];
  let parts = 0;
  const server = createServer((socket) => {
    const answers = answersOf(sockets.push(socket) - 1);
    socket
      .on("error", () => undefined)
      .on("data", () => {
        parts++;
        const answer = answers.shift();
        if (answer !== undefined) socket.write(answer);
        server.emit("part");
      });
  }).listen(0, "127.0.0.1");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, "listening");
  const said = async (wanted: number): Promise<void> => {
    while (parts < wanted) await once(server, "part");
  };
  const { port } = server.address() as AddressInfo;
  return { url: `postgres://mammoth@127.0.0.1:${port}/test`, sockets, said };
}

async function topicsAt(url: string): Promise<Topics> {
  return await openTopics({ url, clock: systemClock(), random: systemRandom, log: silentLog });
}

const listening = (): Buffer[] => [
  Buffer.concat([authenticated, ready]),
  Buffer.concat([done, ready]),
];

test("close() of topics does not wait for an answer to a hint", options, async (t) => {
  const { url, said } = await answering(t, listening);
  const topics = await topicsAt(url);
  topics.give("commits");
  await said(3);
  await topics.close();
});

test("close() of topics does not wait for a connection", options, async (t) => {
  const { url, sockets, said } = await answering(t, (at) => (at === 0 ? listening() : []));
  const topics = await topicsAt(url);
  sockets[0]!.destroy();
  await said(3);
  await topics.close();
});

test("openPostgresMetadata() says so when a password is wanted", options, async (t) => {
  const { url } = await answering(t, () => [scram, challenge]);
  await assert.rejects(
    openPostgresMetadata({ url, log: silentLog }),
    (thrown) =>
      isCoded(thrown, "permission_denied") &&
      /asks for a password. Write it in --database/.test(thrown.message),
  );
});
