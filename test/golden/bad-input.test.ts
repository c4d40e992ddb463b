// Goal: whatever is typed wrong is answered in plain words, and changes nothing.
// Method: tables of command lines and HTTP requests, each case tried against one real daemon whose
// repos, commits, files, pipelines and jobs are compared before and after.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { ApiDocument, type Exchange } from "../../src/api/http/testing/api-document.ts";
import { run } from "../../src/cli/testing/run.ts";
import { run as runProgram, TestDaemon } from "../e2e/testing/daemon.ts";
import { splitInput, testTable, wordsOf, type Outcome } from "./table.ts";
import { fillDaemon, stateOf } from "./testing/filled-daemon.ts";

const binaries = fileURLToPath(new URL("../../bin", import.meta.url));

/** A program that hangs is ended after this long; one that starts on a busy machine is not. */
const programSecondsMax = 60;

let folder: string;
let daemon: TestDaemon;
let document: ApiDocument;
let untouched: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "mammoth-golden-"));
  daemon = new TestDaemon(join(folder, "root"), []);
  await daemon.start();
  await fillDaemon(daemon, folder);
  document = new ApiDocument(await (await daemon.fetch("/openapi.json")).text());
  process.chdir(folder);
  untouched = await stateOf(daemon);
});

after(async () => {
  await daemon.stop("SIGKILL");
  process.chdir("/");
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** `command words < standard input`, as pachctl would be called. */
async function command(line: string): Promise<Outcome> {
  const { head, input } = splitInput(line);
  const { exit, stderr } = await run(wordsOf(head), {
    address: daemon.address,
    clock: systemClock(),
    random: systemRandom,
    ...(input === undefined ? {} : { stdinText: input }),
  });
  await requireUntouched(line);
  return { code: exit, message: stderr };
}

/** `METHOD path "header: value"... < body`, as curl would send it. */
async function call(line: string): Promise<Outcome> {
  const { head, input } = splitInput(line);
  const [method = "", path = "", ...headers] = wordsOf(head);
  const answer = await send({
    method,
    path: path.replace(/^~/, "/api/v1").replace("LONG", "x".repeat(65 * 1024)),
    headers,
    body: input?.replace("HUGE", "x".repeat(17 * 1024 * 1024)),
  });
  await requireUntouched(line);
  return answer;
}

async function requireUntouched(line: string): Promise<void> {
  const before = untouched;
  untouched = await stateOf(daemon);
  assert.ok(untouched === before, `${line}: changed something: now ${untouched}`);
}

/** A line for the shell: the real pachctl and pachd, in the folder. */
async function shell(line: string): Promise<Outcome> {
  const killed = ["-s", "KILL", String(programSecondsMax)];
  const { code, stderr } = await runProgram("timeout", [...killed, "sh", "-c", line], {
    cwd: folder,
    env: { ADDRESS: daemon.address, PATH: `${binaries}:${process.env["PATH"]}` },
  });
  await requireUntouched(line);
  const message = stderr
    .replaceAll(folder, "FOLDER")
    .replaceAll(daemon.address, "ADDRESS")
    .replace(/E(?:PERM|ACCES|ROFS): [a-z -]+/, "DENIED")
    .replaceAll(`pid ${daemon.pid}`, "pid PID");
  return { code, message };
}

async function send(options: {
  method: string;
  path: string;
  headers: readonly string[];
  body: string | undefined;
}): Promise<Outcome> {
  const [host, port] = daemon.address.split(":");
  const headers = Object.fromEntries(
    options.headers.map((header) => header.split(": ") as [string, string]),
  );
  return await new Promise((resolve, reject) => {
    const sent = request(
      { host, port, method: options.method, path: options.path, headers, agent: false },
      (response) => {
        text(response).then((received) => {
          const status = response.statusCode ?? 0;
          requireDescribed({
            method: options.method,
            url: options.path,
            status,
            type: response.headers["content-type"] ?? null,
            received,
          });
          resolve({ code: status, message: messageOf(received) });
        }, reject);
      },
    );
    sent.once("error", reject);
    sent.end(options.body);
  });
}

/** A refusal is one that the document of the API tells of. */
function requireDescribed(exchange: Exchange): void {
  const { method, url } = exchange;
  if (document.operationOf(method, url) === undefined) return;
  assert.deepEqual(document.answerFaults(exchange), [], `${method} ${url}`);
}

function messageOf(body: string): string {
  const parsed = JSON.parse(body) as { error: { code: string; message: string } };
  return `${parsed.error.code}: ${parsed.error.message}`;
}

testTable("bad-commands.txt", command);
testTable("bad-requests.txt", call);
testTable("bad-starts.txt", shell);
