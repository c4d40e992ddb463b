import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import type { Context } from "../context.ts";
import { firstLine } from "../first-line.ts";

interface Flags {
  readonly all?: boolean;
  readonly force?: boolean;
}

export function unmount(command: Command, context: Context): void {
  command
    .argument("[mount-point]")
    .option("-a, --all", "unmount all that pachctl mounted, after asking")
    .option("--force", "also when programs still use it: for them it ends")
    .addHelpText("after", "\nTakes away too what a pachctl mount left that was killed.")
    .action(async (point: string | undefined, flags: Flags) => {
      const mounting = await context.deps.mounting();
      const force = flags.force === true;
      if (point !== undefined && flags.all !== true) {
        await mounting.unmount(point, { force });
        return;
      }
      if (point !== undefined || flags.all !== true)
        throw new CodedError("usage", "Name a mount point, or give --all for all of them");
      const mounts = await mounting.list();
      if (mounts.length === 0) {
        context.print("Nothing is mounted.\n");
        return;
      }
      for (const { point: at, source } of mounts) context.print(`${source} on ${at}\n`);
      context.print("Unmount all of these? yN\n");
      if (!/^\s*y\s*$/i.test(await firstLine(context))) return;
      const failures: unknown[] = [];
      for (const { point: at } of mounts.toReversed())
        await mounting.unmount(at, { force }).catch((error: unknown) => failures.push(error));
      if (failures.length > 0) throw failures[0];
    });
}
