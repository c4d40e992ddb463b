import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import { formatBytes } from "../../base/size.ts";
import type { Finding, FsckSummary } from "../../model/finding.ts";
import type { Context } from "../context.ts";
import { rawOption } from "../listing.ts";
import { printable } from "../table.ts";

interface Flags {
  readonly readData?: boolean;
  readonly repair?: boolean;
  readonly raw?: boolean;
}

export function fsck(command: Command, context: Context): void {
  rawOption(
    command
      .option("--read-data", "read every byte of every file too")
      .option("--repair", "put right what can be put right"),
  ).action(async (flags: Flags) => {
    const lines = (await context.client()).store.fsck(flags);
    let next = await lines.next();
    for (; next.done !== true; next = await lines.next())
      await write(context, flags, next.value, findingText);
    await write(context, flags, next.value, summaryText);
    const { findings, repaired } = next.value;
    if (findings > repaired) throw notWhole(findings - repaired, flags);
  });
}

async function write<T>(
  context: Context,
  { raw }: Flags,
  value: T,
  text: (value: T) => string,
): Promise<void> {
  await context.write(Buffer.from(`${raw === true ? JSON.stringify(value) : text(value)}\n`));
}

function findingText({ repo, commit, path, problem, isRepaired }: Finding): string {
  const place = [repo, commit].filter((part) => part !== undefined).join("/");
  const where = [place, path === undefined ? "" : `/${path}`]
    .filter((part) => part !== "")
    .join(" ");
  const after = isRepaired ? " (repaired)" : "";
  return `${where === "" ? "" : `${printable(where)}: `}${problem}${after}`;
}

function summaryText(summary: FsckSummary): string {
  const { commits, nodes, packs, packBytes, orphans, orphanBytes, findings, repaired } = summary;
  const { unjournaled, journalLagMs } = summary;
  const lag =
    unjournaled === 0
      ? ""
      : `\n${unjournaled} changes of the last ${Math.ceil(journalLagMs / 1_000)} seconds are not in the journal yet`;
  const unrecorded =
    orphans === 0 ? "" : `, ${formatBytes(orphanBytes)} in ${orphans} unrecorded packs`;
  const found =
    findings === 0
      ? "nothing is wrong"
      : `${findings} ${findings === 1 ? "finding" : "findings"}, ${repaired} repaired`;
  return `looked at ${commits} commits, ${nodes} nodes, ${formatBytes(packBytes)} in ${packs} packs${unrecorded}: ${found}${lag}`;
}

function notWhole(left: number, { repair }: Flags): CodedError {
  const count = left === 1 ? "1 finding is" : `${left} findings are`;
  const remedy =
    repair === true
      ? "put the files it names again, or restore the object store from a backup"
      : `"pachctl fsck --repair" puts right what can be put right`;
  return new CodedError(
    "data_loss",
    `The store is not whole: ${count} left. To mend it, ${remedy}`,
  );
}
