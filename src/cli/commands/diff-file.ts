import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import { formatBytes } from "../../base/size.ts";
import type { Client } from "../../client/index.ts";
import type { FileDifference } from "../../model/file.ts";
import type { Context } from "../context.ts";
import { rawOption } from "../listing.ts";
import { formatTable, printable } from "../table.ts";
import { isText, lineDiff, textBytesMax } from "../line-diff.ts";

interface Flags {
  readonly text?: boolean;
  readonly raw?: boolean;
}

interface Commits {
  readonly repo: string;
  readonly a: string;
  readonly b: string;
}

/** Rows laid out together; a longer list is laid out in parts, so that memory has a bound. */
const rowsMax = 10_000;

export function diffFile(command: Command, context: Context): void {
  rawOption(
    command
      .argument("<repo-name>")
      .argument("<commit-a>", "the earlier commit")
      .argument("<commit-b>", "the later commit")
      .argument("[path]", "a file or directory", ""),
  )
    .option("--text", "show the lines that differ")
    .action(async (...args: [string, string, string, string, Flags]) => {
      const [repo, a, b, path, flags] = args;
      if (flags.raw === true && flags.text === true)
        throw new CodedError("usage", "Cannot show lines as JSON. Give --text or --raw");
      const client = await context.client();
      const files = client.files.diff(repo, { a, b, path });
      if (flags.raw === true) await printRaw(files, context);
      else if (flags.text === true) await printLines(files, { repo, a, b }, client, context);
      else await printTable(files, context);
    });
}

async function printRaw(files: AsyncIterable<FileDifference>, context: Context): Promise<void> {
  for await (const file of files) await context.write(Buffer.from(`${JSON.stringify(file)}\n`));
}

async function printTable(files: AsyncIterable<FileDifference>, context: Context): Promise<void> {
  const counts = { added: 0, changed: 0, deleted: 0 };
  let rows = [["CHANGE", "NAME", "BEFORE", "AFTER"]];
  for await (const file of files) {
    const change = changeOf(file);
    counts[change]++;
    const sizes = [file.before, file.after].map((side) =>
      side === undefined ? "-" : formatBytes(side.sizeBytes),
    );
    rows.push([change, printable(`/${file.path}`), ...sizes]);
    if (rows.length < rowsMax) continue;
    await context.write(Buffer.from(formatTable(rows)));
    rows = [];
  }
  context.print(formatTable(rows));
  context.print(`${counts.added} added, ${counts.changed} changed, ${counts.deleted} deleted\n`);
}

function changeOf({ before, after }: FileDifference): "added" | "changed" | "deleted" {
  if (before === undefined) return "added";
  return after === undefined ? "deleted" : "changed";
}

async function printLines(
  files: AsyncIterable<FileDifference>,
  commits: Commits,
  client: Client,
  context: Context,
): Promise<void> {
  for await (const file of files) {
    const sizes = [file.before?.sizeBytes ?? 0, file.after?.sizeBytes ?? 0];
    const name = printable(`/${file.path}`);
    if (Math.max(...sizes) > textBytesMax) {
      context.print(
        `${name}: too large for a line diff (${sizes.map(formatBytes).join(" -> ")})\n`,
      );
      continue;
    }
    const { repo, a, b } = commits;
    const before = file.before && (await bytesOf(client, { repo, id: a }, file.path));
    const after = file.after && (await bytesOf(client, { repo, id: b }, file.path));
    if (![before, after].every((bytes) => bytes === undefined || isText(bytes)))
      context.print(`${name}: binary files differ (${sizes.map(formatBytes).join(" -> ")})\n`);
    else await context.write(Buffer.from(lineDiff(name, before, after)));
  }
}

async function bytesOf(
  client: Client,
  commit: { repo: string; id: string },
  path: string,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of await client.files.get(commit, path)) parts.push(part);
  return Buffer.concat(parts);
}
