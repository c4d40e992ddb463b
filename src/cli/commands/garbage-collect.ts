import type { Command } from "commander";
import { formatBytes } from "../../base/size.ts";
import type { GarbageReport } from "../../model/garbage.ts";
import type { Context } from "../context.ts";
import { printOne, rawOption } from "../listing.ts";
import { formatTable, printable } from "../table.ts";

export function garbageCollect(command: Command, context: Context): void {
  rawOption(command)
    .option("--dry-run", "only show what would be removed")
    .action(async ({ dryRun = false, raw }: { dryRun?: boolean; raw?: boolean }) => {
      const report = await (await context.client()).store.collectGarbage({ isDryRun: dryRun });
      printOne(context, report, { raw, text: reportText });
    });
}

function reportText(report: GarbageReport): string {
  const { isDryRun, repos, removedPacks, rewrittenPacks } = report;
  const lines: string[] = [];
  if (repos.length > 0) {
    const rows = repos.map(({ repo, bytes }) => [printable(repo), formatBytes(bytes)]);
    lines.push(formatTable([["DELETED FROM", "CONTENT"], ...rows]).trimEnd());
  }
  const would = isDryRun ? "would be " : "";
  lines.push(
    `${would}removed: ${formatBytes(report.removedBytes)} in ${packsText(removedPacks)}`,
    `${would}rewritten: ${formatBytes(report.rewrittenBytes)} in ${packsText(rewrittenPacks)}`,
  );
  if (report.keptBackBytes > 0)
    lines.push(
      `kept back: ${formatBytes(report.keptBackBytes)}, which uploads under way may need; the next run removes it`,
    );
  lines.push(`in use: ${formatBytes(report.keptBytes)}`, "");
  return lines.join("\n");
}

function packsText(count: number): string {
  return `${count} ${count === 1 ? "pack" : "packs"}`;
}
