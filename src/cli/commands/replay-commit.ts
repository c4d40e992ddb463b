import type { Command } from "commander";
import type { Context } from "../context.ts";

const after = `
Each commit in their history that the branch does not have is copied, oldest first,
as a finished commit. Prints the new ids, one a line.`;

export function replayCommit(command: Command, context: Context): void {
  command
    .argument("<repo-name>")
    .argument("<commit-id>", "what to replay")
    .argument("<commit-id...>", "more of it, and last the branch, which is made when it is new")
    .usage("[options] <repo-name> <commit-id...> <branch>")
    .addHelpText("after", after)
    .action(async (repo: string, first: string, more: string[]) => {
      const from = [first, ...more.slice(0, -1)];
      const branch = more.at(-1) ?? "";
      const { commits } = await context.client();
      for (const { id } of await commits.replay({ repo, branch }, from)) context.print(`${id}\n`);
    });
}
