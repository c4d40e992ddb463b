import type { Command } from "commander";
import type { Context } from "../context.ts";

export function startCommit(command: Command, context: Context): void {
  command
    .argument("<repo-name>")
    .argument("[parent]", "a branch, which is made when it is new, or a commit", "master")
    .addHelpText("after", "\nPrints the id of the new commit. Finish it with finish-commit.")
    .action(async (repo: string, parent: string) => {
      const commit = await (await context.client()).commits.start(repo, parent);
      context.print(`${commit.id}\n`);
    });
}
