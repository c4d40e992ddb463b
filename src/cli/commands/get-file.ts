import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import type { Context } from "../context.ts";
import { viewOf, viewOptions } from "../options.ts";

export function getFile(command: Command, context: Context): void {
  viewOptions(command.argument("<repo-name>").argument("<commit-id>").argument("<path>")).action(
    async (repo: string, id: string, path: string, flags: Parameters<typeof viewOf>[0]) => {
      const bytes = await (await context.client()).files.get({ repo, id }, path, viewOf(flags));
      for await (const part of bytes) {
        if (context.deps.isTerminal && part.includes(0)) {
          throw new CodedError(
            "invalid_argument",
            `Not printing ${path} to the terminal: it is binary. Redirect it: pachctl get-file ${repo} ${id} ${path} > file`,
          );
        }
        await context.write(part);
      }
    },
  );
}
