import type { Command } from "commander";
import type { Context } from "../context.ts";

export function finishCommit(command: Command, context: Context): void {
  command
    .argument("<repo-name>")
    .argument("<commit-id>")
    .option("-c, --cancel", "cancel it: what was put into it is hidden")
    .addHelpText("after", "\nWaits until the commit's parent is finished.")
    .action(async (repo: string, id: string, { cancel = false }: { cancel?: boolean }) => {
      const { commits } = await context.client();
      if (cancel) await commits.cancel({ repo, id });
      else
        await commits.finish(
          { repo, id },
          {
            onWait: (message) => {
              context.note(message);
            },
          },
        );
    });
}
