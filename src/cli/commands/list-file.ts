import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import type { FileInfo } from "../../model/file.ts";
import type { Context } from "../context.ts";
import { rawOption } from "../listing.ts";
import { viewOf, viewOptions } from "../options.ts";
import { fileListing } from "../show-file.ts";
import { formatTable } from "../table.ts";

type Flags = Parameters<typeof viewOf>[0] & {
  readonly raw?: boolean;
  readonly recurse?: boolean;
  readonly fast?: boolean;
};

/** Rows laid out together; a longer listing is laid out in parts, so that memory has a bound. */
const rowsMax = 10_000;

export function listFile(command: Command, context: Context): void {
  rawOption(
    viewOptions(
      command.argument("<repo-name>").argument("<commit-id>").argument("[path]", "a directory", ""),
    ),
  )
    .option("--recurse", "everything below it, with the sizes of directories")
    .option("--fast", "accepted for old scripts; every listing is fast")
    .action(async (repo: string, id: string, path: string, flags: Flags) => {
      const { recurse = false, fast = false, raw = false } = flags;
      if (recurse && fast)
        throw new CodedError(
          "usage",
          "you may only provide either --fast or --recurse, but not both",
        );
      const files = (await context.client()).files.list({ repo, id }, path, {
        ...viewOf(flags),
        recurse,
      });
      if (raw) await printRaw(files, context);
      else await printTable(files, { recurse, fast }, context);
    });
}

async function printRaw(files: AsyncIterable<FileInfo>, context: Context): Promise<void> {
  for await (const file of files) await context.write(Buffer.from(`${JSON.stringify(file)}\n`));
}

async function printTable(
  files: AsyncIterable<FileInfo>,
  options: { recurse: boolean; fast: boolean },
  context: Context,
): Promise<void> {
  const { header, row } = fileListing(options);
  let rows = [header];
  for await (const file of files) {
    rows.push(row(file, context));
    if (rows.length < rowsMax) continue;
    await context.write(Buffer.from(formatTable(rows)));
    rows = [];
  }
  context.print(formatTable(rows));
}
