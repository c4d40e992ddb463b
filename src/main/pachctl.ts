import * as fileSystem from "node:fs/promises";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { runCli } from "../cli/index.ts";
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

process.exitCode = await runCli(process.argv.slice(2), {
  address: process.env["ADDRESS"],
  ...(await readToken()),
  version: packageVersion(),
  stdin: () => process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  isTerminal: process.stdout.isTTY,
  color: process.stdout.isTTY && process.env["NO_COLOR"] === undefined,
  clock: systemClock(),
  random: systemRandom,
  openClient: async (options) => (await import("../client/index.ts")).openClient(options),
  // Named only when it is called: naming it loads an HTTP client.
  fetch: (input, init) => fetch(input, init),
  fileSystem,
  signal: interrupted.signal,
});
