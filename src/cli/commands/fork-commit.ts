import type { Command } from "commander";
import type { Context } from "../context.ts";

export function forkCommit(command: Command, context: Context): void {
  command
    .argument("<repo-name>")
    .argument("<commit-id>", "the parent: a commit, or a branch, which means its newest commit")
    .argument("<new-branch>")
    .addHelpText("after", "\nPrints the id of the new commit. Finish it with finish-commit.")
    .action(async (repo: string, parent: string, branch: string) => {
      const commit = await (await context.client()).commits.fork(repo, { parent, branch });
      context.print(`${commit.id}\n`);
    });
}
