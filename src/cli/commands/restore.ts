import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import { formatBytes } from "../../base/size.ts";
import type { Body } from "../../client/index.ts";
import type { RestoreReport } from "../../model/extract-record.ts";
import type { Context } from "../context.ts";
import { printOne, rawOption } from "../listing.ts";
import { kindOf, readLocal } from "../local-files.ts";
import { Progress } from "../progress.ts";

interface Flags {
  readonly file: string;
  readonly raw?: boolean;
}

const examples = `
Examples:
  pachctl restore < backup
  pachctl restore -f backup
  zstd -d < data | pachctl restore

All of it is restored or nothing. None of its repos may be there. Pipelines go
on where they were: what they have done is not done again.`;

export function restore(command: Command, context: Context): void {
  rawOption(command.option("-f, --file <file>", "what extract wrote; - is standard input", "-"))
    .addHelpText("after", examples)
    .action(async ({ file, raw }: Flags) => {
      const progress = Progress.open(context);
      try {
        const body = await bodyOf(file, context, progress);
        const report = await (await context.client()).store.restore(body);
        progress?.close();
        printOne(context, report, { raw, text: reportText });
      } finally {
        progress?.close();
      }
    });
}

/** A file can be sent again when the connection is lost, standard input can not. */
async function bodyOf(
  file: string,
  context: Context,
  progress: Progress | undefined,
): Promise<Body> {
  const { fileSystem } = context.deps;
  const found = file === "-" ? undefined : await kindOf(fileSystem, file);
  if (found?.kind === "directory")
    throw new CodedError("invalid_argument", `Cannot restore ${file}: it is a directory`);
  const open = (): AsyncIterable<Uint8Array> =>
    file === "-" ? context.stdin() : readLocal(fileSystem, file);
  const counted = progress?.counted(open) ?? open;
  if (found?.kind !== "file") return counted();
  if (progress !== undefined) progress.totals = { files: 1, bytes: found.sizeBytes };
  return counted;
}

function reportText(report: RestoreReport): string {
  const { repos, commits, pipelines, jobs, bytes, openCommits } = report;
  const counts = [
    counted(repos.length, "repo"),
    counted(commits, "commit"),
    counted(pipelines, "pipeline"),
    counted(jobs, "job"),
  ];
  const left =
    openCommits === 0 ? "" : `${counted(openCommits, "open commit")} had been left out\n`;
  return `restored ${counts.join(", ")}: ${formatBytes(bytes)}\n${left}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
