import { spawn } from "node:child_process";
import { Agent, request } from "node:http";
import { packTar, type TarFile } from "../src/client/index.ts";
import { wordServer } from "../test/e2e/testing/word-server.ts";
import type { Bed, Row } from "./bench.ts";
import { race } from "./measure.ts";
import { lineFiles } from "./small-files.ts";

const command = ["python3", "-u", "-c", wordServer];
const parallel = 100;
const port = 38_650;

/**
 * Small files through a web server of a user, from the request for the run to the last output; beside it, the
 * same server alone, sent as many files on as many connections.
 */
export async function* webServerMap({
  daemon,
  client,
  full,
}: Bed): AsyncGenerator<Row, void, void> {
  const count = full ? 10_000 : 2_000;
  const at = { repo: "data", branch: "master" };
  await client.repos.create("data");
  await client.files.putTarCommit(at, "", () => packTar(textFiles(count)));
  const job = JSON.stringify({ type: "map", input: "texts", command, parallel });
  await send(daemon.address, "POST", "/job/count", job);
  const alone = spawn(command[0]!, command.slice(1), {
    env: { ...process.env, PORT: `${port}` },
    stdio: "ignore",
  });
  await untilOpen();
  const times = await race({
    rounds: 3,
    runners: {
      async map() {
        const commit = (await send(daemon.address, "POST", "/commit?run=fresh")).trim();
        const last = `/job/count/file/file-${count - 1}?commit=${encodeURIComponent(commit)}`;
        await send(daemon.address, "GET", last);
      },
      alone: () => sendAll(count),
    },
  });
  alone.kill();
  const perSecond = (values: readonly number[]): number[] => values.map((ms) => (count * 1e3) / ms);
  yield {
    what: `map of ${count} small files by a web server`,
    unit: "1/s",
    values: perSecond(times.map),
    peer: { what: "the server alone", values: perSecond(times.alone) },
  };
}

function* textFiles(count: number): Generator<TarFile, void, void> {
  let index = 0;
  for (const file of lineFiles(count)) yield { ...file, path: `texts/file-${index++}` };
}

async function send(address: string, method: string, path: string, body?: string): Promise<string> {
  const answer = await fetch(`http://${address}${path}`, {
    method,
    headers: { "x-file": "x" },
    ...(body === undefined ? {} : { body }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text;
}

async function untilOpen(): Promise<void> {
  const url = `127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    try {
      await send(url, "POST", "/map", "ready\n");
      return;
    } catch (error) {
      if (tries === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function sendAll(count: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: parallel });
  let next = 0;
  const line = async (): Promise<void> => {
    while (next < count) await sendOne(agent, `apple ${next++}\n`);
  };
  await Promise.all(Array.from({ length: parallel }, line));
  agent.destroy();
}

async function sendOne(agent: Agent, body: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const headers = { "content-length": body.length, "x-file": "x" };
    const call = request({ agent, port, method: "POST", path: "/map", headers }, (answer) => {
      answer.resume();
      answer.once("end", resolve);
    });
    call.once("error", reject);
    call.end(body);
  });
}
