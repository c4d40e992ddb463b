import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import type { Context } from "../context.ts";
import { Progress } from "../progress.ts";

const examples = `
Examples:
  pachctl extract > backup              everything
  pachctl extract data | zstd > data    one repo, and those that it is made from
  pachctl extract | ADDRESS=other:30650 pachctl restore

What is written is as of the moment at which it began: repos, their finished
commits, files, pipelines, and jobs as history. Commits that are open are left
out. Secrets are not in it: they never leave the machines of workers; but the
environment variables that specs name are.`;

export function extract(command: Command, context: Context): void {
  command
    .argument("[repo-name...]", "default: everything")
    .addHelpText("after", examples)
    .action(async (repos: string[]) => {
      if (context.deps.isTerminal)
        throw new CodedError(
          "invalid_argument",
          "Not writing an extract to the terminal: it is binary. Redirect it: pachctl extract > file",
        );
      const bytes = await (await context.client()).store.extract({ repos });
      const progress = Progress.open(context);
      const counted = progress?.counted(() => bytes)() ?? bytes;
      try {
        for await (const part of counted) await context.write(part);
      } finally {
        progress?.close();
      }
    });
}
