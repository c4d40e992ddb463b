import type { Command } from "commander";
import type { Context } from "../context.ts";
import { printOne, rawOption } from "../listing.ts";
import { viewOf, viewOptions } from "../options.ts";
import { fileText } from "../show-file.ts";

type Flags = Parameters<typeof viewOf>[0] & { readonly raw?: boolean };

export function inspectFile(command: Command, context: Context): void {
  rawOption(
    viewOptions(command.argument("<repo-name>").argument("<commit-id>").argument("<path>")),
  ).action(async (repo: string, id: string, path: string, flags: Flags) => {
    const commit = { repo, id };
    const file = await (await context.client()).files.inspect(commit, path, viewOf(flags));
    printOne(context, file, { raw: flags.raw, text: (one) => fileText(one, commit, context) });
  });
}
