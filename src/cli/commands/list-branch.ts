import type { Command } from "commander";
import type { Context } from "../context.ts";
import { rawOption } from "../listing.ts";
import { printable } from "../table.ts";

export function listBranch(command: Command, context: Context): void {
  rawOption(command.argument("<repo-name>"))
    .option("-a, --all", "cancelled and archived ones too")
    .action(
      async (repo: string, { all = false, raw = false }: { all?: boolean; raw?: boolean }) => {
        const branches = await (
          await context.client()
        ).repos.branches(repo, { status: all ? "ALL" : "NORMAL" });
        context.print(
          branches.map((name) => `${raw ? JSON.stringify(name) : printable(name)}\n`).join(""),
        );
      },
    );
}
