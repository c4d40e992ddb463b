import type { Command } from "commander";
import type { Context } from "../context.ts";

export function deleteFile(command: Command, context: Context): void {
  command
    .argument("<repo-name>")
    .argument("<commit-id>", "an open commit")
    .argument("<path>")
    .action(async (repo: string, id: string, path: string) => {
      await (await context.client()).files.delete({ repo, id }, path);
    });
}
