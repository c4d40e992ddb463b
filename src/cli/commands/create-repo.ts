import type { Command } from "commander";
import type { Context } from "../context.ts";

export function createRepo(command: Command, context: Context): void {
  command.argument("<repo-name>", "letters, digits and _").action(async (name: string) => {
    await (await context.client()).repos.create(name);
  });
}
