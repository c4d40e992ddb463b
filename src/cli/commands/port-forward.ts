import type { Command } from "commander";
import { hasErrno } from "../../base/errno.ts";
import { CodedError } from "../../base/errors.ts";
import { defaultAddress, parseAddress } from "../../client/index.ts";
import type { Context } from "../context.ts";
import { wholeNumber } from "../options.ts";
import { relay, type Endpoint } from "../relay.ts";

const localHost = "127.0.0.1";
const localNames = [localHost, "localhost", "0.0.0.0", "::1", "::"];

export function portForward(command: Command, context: Context): void {
  command
    .option("-p, --port <port>", "the local port", wholeNumber, 30_650)
    .addHelpText("after", "\nBlocks: every connection to the local port goes to ADDRESS.")
    .action(async ({ port }: { port: number }) => {
      const to = parseAddress(context.deps.address ?? defaultAddress);
      const from = { host: localHost, port };
      if (localNames.includes(to.host) && to.port === port) await tellOfNoNeed(context);
      else await forward(from, to, context);
    });
}

/** The local port is where pachd itself listens, or is to listen. */
async function tellOfNoNeed(context: Context): Promise<void> {
  await (await context.client()).version();
  context.print(
    "Nothing to forward: ADDRESS is that port, and pachd answers there. For a pachd elsewhere set ADDRESS=host:port\n",
  );
}

async function forward(from: Endpoint, to: Endpoint, context: Context): Promise<void> {
  const far = `${to.host}:${to.port}`;
  try {
    await relay(from, to, {
      signal: context.signal,
      onListening: (port) => {
        context.print(`Forwarding ${from.host}:${port} to ${far}, CTRL-C to exit.\n`);
      },
      onFailure: ({ message }) => {
        context.note(`Cannot reach pachd at ${far}: ${message}. Check ADDRESS and that it runs`);
      },
    });
  } catch (error) {
    if (!hasErrno(error, "EADDRINUSE", "EACCES")) throw error;
    throw new CodedError(
      "failed_precondition",
      `Cannot forward port ${from.port}: it is taken, or not ours to take. Name another one with --port`,
      { cause: error },
    );
  }
}
