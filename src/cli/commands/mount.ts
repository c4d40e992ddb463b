import type { Command } from "commander";
import type { Log } from "../../base/log.ts";
import { defaultAddress } from "../../client/index.ts";
import { parseRangeArgument } from "../commit-argument.ts";
import type { Context } from "../context.ts";
import { shardOf, shardOptions, wholeNumber } from "../options.ts";

type Flags = Parameters<typeof shardOf>[0] & {
  readonly debug?: boolean;
  readonly allCommits?: boolean;
  readonly readOnly?: boolean;
  readonly wait: number;
};

const examples = `
Examples:
  pachctl mount ~/pfs &              every repo: ~/pfs/data/master, ~/pfs/data/master-0
  pachctl mount ~/data data          one repo: ~/data/master
  pachctl mount ~/sales data/master  one branch, which follows its newest commit
  pachctl unmount ~/pfs

Files of an open commit can be written; what close or fsync has acknowledged is durable.
Linux only; by root, or by a user whose machine has fusermount3 and python3.`;

export function mount(command: Command, context: Context): void {
  shardOptions(
    command
      .argument("<mount-point>", "an empty directory")
      .argument("[repo/commit]", "a repo, branch or commit alone"),
  )
    .option("-a, --all-commits", "list cancelled and archived commits too")
    .option("-r, --read-only", "nothing can be written")
    .option("-d, --debug", "tell of every call to pachd on standard error")
    .option("--wait <seconds>", "how long programs wait for a pachd that is away", wholeNumber, 60)
    .addHelpText("after", examples)
    .action(async (point: string, what: string | undefined, flags: Flags) => {
      if (flags.debug === true) context.verbose = true;
      // Not the client that ends with CTRL-C: what was written is still to be sent.
      const client = await context.openForCleanup();
      const mounting = await context.deps.mounting();
      const request = {
        client,
        address: context.deps.address ?? defaultAddress,
        point,
        only: what === undefined ? undefined : parseRangeArgument(what),
        shard: shardOf(flags),
        allCommits: flags.allCommits === true,
        readOnly: flags.readOnly === true,
        patienceMs: flags.wait * 1_000,
        log: noteLog(context),
      };
      try {
        await mounting.mount(request, context.signal, () => {
          context.print("Filesystem mounted, CTRL-C to exit.\n");
        });
      } finally {
        client.close();
      }
    });
}

/** What a program cannot be told by the number of an error is told here. */
function noteLog(context: Context): Log {
  const note = (_: object, message: string): void => {
    context.note(message);
  };
  return { debug: () => undefined, info: note, warn: note, error: note };
}
