import { stripVTControlCharacters } from "node:util";

const widthMin = 20;
const padding = 3;

/**
 * Lays out rows as the original does: each column as wide as its widest cell plus 3, at least 20; the
 * last one is padded too, so lines end in spaces.
 */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? widthMin, widthOf(cell) + padding);
    });
  }
  return rows
    .map((row) => `${row.map((cell, column) => pad(cell, widths[column] ?? widthMin)).join("")}\n`)
    .join("");
}

function pad(cell: string, width: number): string {
  return cell + " ".repeat(width - widthOf(cell));
}

/** Characters shown: colours take no room. */
function widthOf(cell: string): number {
  return [...stripVTControlCharacters(cell)].length;
}

/** A name with `?` for control characters: what others called a file must not steer this terminal. */
export function printable(name: string): string {
  return name.replace(/\p{Cc}/gu, "?");
}
