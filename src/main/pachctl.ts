import * as fileSystem from "node:fs/promises";
import { systemClock } from "../base/clock.ts";
import { fileView } from "../base/file-view.ts";
import { systemRandom } from "../base/random.ts";
import { runCli } from "../cli/index.ts";
import { disk } from "./disk.ts";
import { cacheFolder, stateFolder } from "./state-folder.ts";
import { packageVersion } from "./version.ts";

const interrupted = new AbortController();
process.once("SIGINT", () => {
  interrupted.abort();
});

/** The token of a daemon that asks for one, from the file that PACH_TOKEN_FILE names. */
async function readToken(): Promise<{ token?: string }> {
  const file = process.env["PACH_TOKEN_FILE"];
  if (file === undefined || file === "") return {};
  return { token: (await fileSystem.readFile(file, "utf8")).trim() };
}

/** Runs the command line; resolves with the exit code. */
async function main(): Promise<number> {
  let token: { token?: string };
  try {
    token = await readToken();
  } catch (error) {
    process.stderr.write(
      `Cannot read the token file ${process.env["PACH_TOKEN_FILE"]}: ${(error as Error).message.split(",")[0]}. Set PACH_TOKEN_FILE to the file that pachd was given\n`,
    );
    return 1;
  }
  return await runCli(process.argv.slice(2), {
    address: process.env["ADDRESS"],
    ...token,
    version: packageVersion(),
    stdin: () => process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    isTerminal: process.stdout.isTTY,
    errorColumns: process.stderr.isTTY ? process.stderr.columns : undefined,
    color: process.stdout.isTTY && process.env["NO_COLOR"] === undefined,
    clock: systemClock(),
    random: systemRandom,
    openClient: async (options) => (await import("../client/index.ts")).openClient(options),
    fetch,
    fileSystem,
    disk,
    stateFolder: stateFolder(process.env),
    cacheFolder: cacheFolder(process.env),
    mounting: async () => (await import("./mounting.ts")).mounting(process.env),
    machine: async () => (await import("./machine.ts")).thisMachine(process.env),
    localDigests: async () => (await import("./local-digests.ts")).openLocalDigests(),
    localMachine: {
      fileView: async () => await fileView(fileSystem),
      readText: async (path) => await fileSystem.readFile(path, "utf8").catch(() => undefined),
    },
    signal: interrupted.signal,
  });
}

process.exitCode = await main();
