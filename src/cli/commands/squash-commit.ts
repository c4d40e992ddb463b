import type { Command } from "commander";
import type { Context } from "../context.ts";

const after = `
What the commits have, and the open commit has not, is written into it, one commit
after the other. Finish it with finish-commit.

Example:
  pachctl fork-commit data master/0 whole
  pachctl squash-commit data a/3 b/2 whole/0
  pachctl finish-commit data whole/0`;

export function squashCommit(command: Command, context: Context): void {
  command
    .argument("<repo-name>")
    .argument("<commit-id>", "what to squash")
    .argument("<commit-id...>", "more of it, and last the open commit that takes it")
    .usage("[options] <repo-name> <commit-id...> <open-commit-id>")
    .addHelpText("after", after)
    .action(async (repo: string, first: string, more: string[]) => {
      const from = [first, ...more.slice(0, -1)];
      const to = more.at(-1) ?? "";
      await (await context.client()).commits.squash({ repo, id: to }, from);
    });
}
