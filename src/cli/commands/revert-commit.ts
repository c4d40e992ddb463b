import type { Command } from "commander";
import type { Context } from "../context.ts";

export function revertCommit(command: Command, context: Context): void {
  command
    .argument("<repo-name>")
    .argument("<branch>")
    .argument("<commit-id>", "a finished commit of the repo")
    .addHelpText(
      "after",
      "\nNothing is lost: the branch gets a new commit, and pipelines run on what it changes.",
    )
    .action(async (repo: string, branch: string, commit: string) => {
      const { commits } = await context.client();
      const info = await commits.revert({ repo, branch }, commit);
      context.print(`${info.id}\n`);
    });
}
