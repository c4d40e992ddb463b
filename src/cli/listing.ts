import type { Command } from "commander";
import type { Context } from "./context.ts";
import { formatTable } from "./table.ts";

/** Adds `--raw`, which every list and inspection has. */
export function rawOption(command: Command): Command {
  return command.option("--raw", "print JSON, with exact times and sizes");
}

/** How one kind of thing is listed. */
export interface Listing<T> {
  readonly header: readonly string[];
  readonly row: (item: T, context: Context) => readonly string[];
}

/** Prints a table, or with `raw` one JSON value a line. */
export function printList<T>(
  context: Context,
  items: readonly T[],
  how: Listing<T> & { readonly raw: boolean | undefined },
): void {
  if (how.raw === true) context.print(items.map((item) => `${JSON.stringify(item)}\n`).join(""));
  else context.print(formatTable([how.header, ...items.map((item) => how.row(item, context))]));
}

/** Prints one thing in words, or with `raw` as JSON. */
export function printOne<T>(
  context: Context,
  item: T,
  how: { readonly raw: boolean | undefined; readonly text: (item: T, context: Context) => string },
): void {
  context.print(how.raw === true ? `${JSON.stringify(item, null, 2)}\n` : how.text(item, context));
}
