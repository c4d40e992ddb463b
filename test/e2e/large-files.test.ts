import { strict as assert } from "node:assert";
import { createHash, randomFillSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request, type IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { GiB, MiB } from "../../src/base/size.ts";
import { openTestDaemon, type TestDaemon } from "./testing/daemon.ts";

// With MAMMOTH_LARGE=1 1 GiB, then 4 GiB; that takes minutes.
const isLarge = process.env["MAMMOTH_LARGE"] === "1";
const firstBytes = isLarge ? GiB : 256 * MiB;
const peakBytesMax = 300 * MiB;

const agent = new Agent({ keepAlive: true });

/** Sends random bytes as a commit of their own; gives back their SHA-256. */
async function putRandom(daemon: TestDaemon, path: string, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  const slices = function* (): Generator<Buffer, void, void> {
    for (let left = bytes; left > 0; left -= MiB) {
      const slice = randomFillSync(Buffer.allocUnsafe(Math.min(left, MiB)));
      hash.update(slice);
      yield slice;
    }
  };
  const outgoing = request(urlOf(daemon, `branches/master/files/${path}`), {
    method: "POST",
    agent,
  });
  const answered = answerOf(outgoing);
  await pipeline(Readable.from(slices(), { objectMode: false }), outgoing);
  const answer = await answered;
  assert.equal(answer.statusCode, 201, daemon.log);
  answer.resume();
  return hash.digest("hex");
}

/** Reads a file of the newest commit; gives back how long it is and its SHA-256. */
async function digest(
  daemon: TestDaemon,
  path: string,
): Promise<{ bytes: number; sha256: string }> {
  const outgoing = request(urlOf(daemon, `commits/master/files/${path}`), { agent });
  const answered = answerOf(outgoing);
  outgoing.end();
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const slice of await answered) {
    hash.update(slice as Buffer);
    bytes += (slice as Buffer).length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

async function answerOf(outgoing: ReturnType<typeof request>): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    outgoing.once("response", resolve).once("error", reject);
  });
}

function urlOf(daemon: TestDaemon, path: string): string {
  return `http://${daemon.address}/api/v1/repos/data/${path}`;
}

/** The most memory the daemon has had, in bytes; undefined where there is no /proc. */
function peakBytes(daemon: TestDaemon): number | undefined {
  if (process.platform !== "linux") return undefined;
  const status = readFileSync(`/proc/${daemon.pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
}

test("a large file comes back as it was, and the daemon's memory stays small", async (t) => {
  const daemon = await openTestDaemon(t);
  t.after(() => {
    agent.destroy();
  });
  await daemon.ok(["create-repo", "data"]);
  const sha256 = await putRandom(daemon, "first", firstBytes);
  assert.deepEqual(await digest(daemon, "first"), { bytes: firstBytes, sha256 });
  const peak = peakBytes(daemon) ?? 0;
  t.diagnostic(`peak memory ${(peak / 1e6).toFixed(0)} MB after ${firstBytes / MiB} MiB`);
  assert.ok(peak < peakBytesMax, `the daemon had ${peak} bytes of memory`);

  if (isLarge)
    await t.test("four times as much needs no more memory", async (large) => {
      const bytes = 4 * firstBytes;
      const second = await putRandom(daemon, "second", bytes);
      assert.deepEqual(await digest(daemon, "second"), { bytes, sha256: second });
      const later = peakBytes(daemon) ?? 0;
      large.diagnostic(`peak memory ${(later / 1e6).toFixed(0)} MB after ${bytes / MiB} MiB`);
      assert.ok(later <= 1.1 * peak, `${later} bytes after ${peak}`);
    });
});
