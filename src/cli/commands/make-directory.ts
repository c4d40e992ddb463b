import type { Command } from "commander";
import type { Context } from "../context.ts";

export function makeDirectory(command: Command, context: Context): void {
  command
    .argument("<repo-name>")
    .argument("<commit-id>", "an open commit")
    .argument("<path>")
    .addHelpText("after", "\nThose above it are made too. put-file needs none of them.")
    .action(async (repo: string, id: string, path: string) => {
      await (await context.client()).files.makeDirectory({ repo, id }, path);
    });
}
