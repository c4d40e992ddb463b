// Goal: what is sent and saved survives: daemon and client are killed at random, the same command is typed again, and
// in the end every byte is there, once. Method: real processes, SIGKILL, whole trees compared.
import { strict as assert } from "node:assert";
import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { randomBelow, seededRandom, systemRandom } from "../../src/base/random.ts";
import { MiB } from "../../src/base/size.ts";
import { openTestDaemon, testFolder, type TestDaemon } from "./testing/daemon.ts";

// With MAMMOTH_TRANSFER_BYTES, MAMMOTH_TRANSFER_FILES and MAMMOTH_TRANSFER_KILLS as large as one has time for.
const largeBytes = Number(process.env["MAMMOTH_TRANSFER_BYTES"] ?? 32 * MiB);
const smallFiles = Number(process.env["MAMMOTH_TRANSFER_FILES"] ?? 2_000);
const kills = Number(process.env["MAMMOTH_TRANSFER_KILLS"] ?? 3);
/** From the start of a command until something is killed, at most: as long as it takes when nothing is. */
const killMs = Number(process.env["MAMMOTH_TRANSFER_MS"] ?? 1_500);
/** Those of the long form take longer than a test may. */
const timeout = 300_000 + kills * 60_000;
const seed = Number(process.env["MAMMOTH_CRASH_SEED"] ?? systemRandom.bytes(4).readUInt32BE());
const pachctl = fileURLToPath(new URL("../../bin/pachctl", import.meta.url));

function makeSource(folder: string): void {
  const random = seededRandom(seed);
  mkdirSync(folder);
  const large = random.bytes(MiB);
  const file = openSync(join(folder, "large.bin"), "w");
  for (let i = 0; i < largeBytes / MiB; i++) {
    large.writeUInt32BE(i);
    writeSync(file, large);
  }
  closeSync(file);
  for (let i = 0; i < smallFiles; i++) {
    const below = join(folder, `d${i % 17}`);
    mkdirSync(below, { recursive: true });
    writeFileSync(join(below, `file ${i}`), `${i} `.repeat(randomBelow(random, 2_000)));
  }
}

/** Digests of all files below a folder, by name. */
function treeOf(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).toSorted();
  const files = names.filter((name) => statSync(join(folder, name)).isFile());
  return new Map(files.map((name) => [name, digestOf(join(folder, name))]));
}

function digestOf(path: string): string {
  const hash = createHash("sha256");
  const piece = Buffer.alloc(MiB);
  const file = openSync(path, "r");
  for (let count = -1; count !== 0;) {
    count = readSync(file, piece);
    hash.update(piece.subarray(0, count));
  }
  closeSync(file);
  return hash.digest("hex");
}

/** Types a command until it succeeds, while it and the daemon are killed in turn; at the end nothing is. */
async function survive(
  t: TestContext,
  daemon: TestDaemon,
  { args, stateFolder }: { args: readonly string[]; stateFolder: string },
): Promise<void> {
  const random = seededRandom(seed);
  for (let killed = 0; ;) {
    const child = spawn(pachctl, args, {
      env: { ...process.env, ADDRESS: daemon.address, XDG_STATE_HOME: stateFolder },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
    const ended = endOf(child);
    while (child.exitCode === null && child.signalCode === null && killed < kills) {
      await Promise.race([ended, sleep(randomBelow(random, killMs))]);
      if (child.exitCode !== null) break;
      if (killed++ % 2 === 0) {
        child.kill("SIGKILL");
        break;
      }
      await daemon.stop("SIGKILL");
      await daemon.start();
    }
    const code = await ended;
    if (code === 0) break;
    // It began while the daemon was away.
    const isRefused = /Cannot reach|Lost the connection/.test(said);
    assert.ok(
      child.signalCode === "SIGKILL" || isRefused,
      `${args.join(" ")}: ${said} ${daemon.log}`,
    );
    t.diagnostic(`killed ${killed} times (${said.trim()})`);
  }
}

async function endOf(child: ChildProcess): Promise<number | null> {
  return await new Promise((resolve) => {
    child.once("close", resolve);
  });
}

test(
  `a folder is put and saved whole though everything is killed (MAMMOTH_CRASH_SEED=${seed})`,
  { timeout },
  async (t) => {
    const folder = testFolder(t);
    const [source, saved, stateFolder] = ["source", "saved", "state"].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    makeSource(source);
    const daemon = await openTestDaemon(t, ["--log-level", "warn"]);
    await daemon.ok(["create-repo", "data"]);
    // Appended: what came twice would show.
    const put = ["put-file", "-c", "-r", "data", "master", "/", "-f", source];
    await survive(t, daemon, { args: put, stateFolder });
    assert.equal((await daemon.ok(["list-commit", "data"])).trim().split("\n").length, 2);
    await survive(t, daemon, {
      args: ["get-file", "-r", "data", "master", "-o", saved],
      stateFolder,
    });
    const [sent, came] = [treeOf(source), treeOf(saved)];
    assert.equal(came.size, sent.size);
    for (const [name, digest] of sent) assert.equal(came.get(name), digest, name);
    const alone = join(folder, "alone");
    await survive(t, daemon, {
      args: ["get-file", "data", "master", "large.bin", "-o", alone],
      stateFolder,
    });
    assert.equal(digestOf(alone), sent.get("large.bin"));
    rmSync(saved, { recursive: true });
    assert.deepEqual(await (await daemon.fetch("/uploads")).json(), { uploads: [] });
  },
);

test(
  `a stream is put whole though the daemon is killed (MAMMOTH_CRASH_SEED=${seed})`,
  { timeout },
  async (t) => {
    const daemon = await openTestDaemon(t, ["--log-level", "warn"]);
    await daemon.ok(["create-repo", "data"]);
    const random = seededRandom(seed);
    const slices = Math.ceil(largeBytes / MiB);
    const sent = createHash("sha256");
    const child = spawn(pachctl, ["put-file", "-c", "data", "master", "stream.bin", "-f", "-"], {
      env: { ...process.env, ADDRESS: daemon.address },
      stdio: ["pipe", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
    const ended = endOf(child);
    const killedAt = new Set(Array.from({ length: kills - 1 }, () => randomBelow(random, slices)));
    for (let index = 0; index < slices; index++) {
      const slice = random.bytes(MiB);
      sent.update(slice);
      await new Promise((resolve) => child.stdin.write(slice, resolve));
      if (!killedAt.has(index)) continue;
      // So that some of it is durable, and more of it is not.
      await sleep(randomBelow(random, killMs / 2));
      await daemon.stop("SIGKILL");
      await daemon.start();
    }
    child.stdin.end();
    assert.equal(await ended, 0, said);
    const file = join(testFolder(t), "stream.bin");
    await daemon.ok(["get-file", "data", "master", "stream.bin", "-o", file]);
    assert.equal(digestOf(file), sent.digest("hex"), said);
    assert.deepEqual(await (await daemon.fetch("/uploads")).json(), { uploads: [] });
  },
);
