import { median, quantile } from "./measure.ts";
import type { Row, Unit } from "./bench.ts";

const head = ["what", "median", "range", "beside", "its median", "cost"];

/** Rows as a table of Markdown. */
export function tableOf(rows: readonly Row[]): string {
  const cells = [head, ...rows.map(cellsOf)];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const lines = cells.map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`,
  );
  lines.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  return lines.join("\n");
}

/** One row as a line, for those who wait. */
export function lineOf(row: Row): string {
  const [what, value, range, peer, peerValue, cost] = cellsOf(row);
  const beside = row.peer === undefined ? "" : `; ${peer} ${peerValue}: ${cost}`;
  return `${what}: ${value} (${range})${beside}`;
}

function cellsOf({ what, unit, values, peer }: Row): string[] {
  const range = `${round(quantile(values, 0))} – ${round(quantile(values, 1))}`;
  const own = [what, `${round(median(values))} ${unit}`, values.length > 1 ? range : ""];
  if (peer === undefined) return [...own, "", "", ""];
  const cost = costOf(unit, median(values), median(peer.values));
  return [...own, peer.what, `${round(median(peer.values))} ${unit}`, `${cost.toFixed(2)} x`];
}

/** How many times as much as the peer's: 1 is as good, 2 twice as slow or as large. */
function costOf(unit: Unit, value: number, peer: number): number {
  return unit === "MB/s" || unit === "1/s" ? peer / value : value / peer;
}

function round(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
