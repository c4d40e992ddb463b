import type { Command } from "commander";
import type { Context } from "../context.ts";

export function deleteRepo(command: Command, context: Context): void {
  command
    .argument("<repo-name>")
    .option("-f, --force", "delete it even when other repos are made from it")
    .action(async (name: string, { force = false }: { force?: boolean }) => {
      await (await context.client()).repos.delete(name, { force });
    });
}
