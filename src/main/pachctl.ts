import * as fileSystem from "node:fs/promises";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { runCli } from "../cli/index.ts";
import { packageVersion } from "./version.ts";

const interrupted = new AbortController();
process.once("SIGINT", () => { interrupted.abort(); });

process.exitCode = await runCli(process.argv.slice(2), {
  address: process.env["ADDRESS"],
  version: packageVersion(),
  stdin: () => process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  isTerminal: process.stdout.isTTY,
  color: process.stdout.isTTY && process.env["NO_COLOR"] === undefined,
  clock: systemClock(),
  random: systemRandom,
  openClient: async (options) => (await import("../client/index.ts")).openClient(options),
  fetch,
  fileSystem,
  signal: interrupted.signal,
});
