import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Bed, Row, Unit } from "./bench.ts";
import {
  borgTool,
  cpTool,
  gitTool,
  mammothTool,
  resticTool,
  sinkTool,
  tarTool,
  type CopyTool,
} from "./copy-tool.ts";
import { randomBytes, textLines, writeSlices, writeSmallFiles } from "./inputs.ts";
import { msOf } from "./measure.ts";

/** What a round of a work gave, by tool and measure: seconds, and megabytes stored. */
type Figures = Map<string, Map<string, number[]>>;

interface Work {
  readonly bed: Bed;
  readonly tools: readonly CopyTool[];
  readonly figures: Figures;
}

/** Large and many files in and out: beside programs that are made to keep copies. */
export async function* backupTools(bed: Bed): AsyncGenerator<Row, void, void> {
  const bytes = bed.sizeBytes ?? (bed.full ? 2 ** 32 : 2 ** 28);
  yield* inRounds(
    bed,
    "large",
    () => [sinkTool(bed.sink)],
    async (work, folder) => {
      await largeFile(work, folder, bytes);
    },
  );
  yield* inRounds(
    bed,
    "log",
    () => [],
    async (work, folder) => {
      await logFile(work, folder, Math.min(bytes, 2 ** 30));
    },
  );
  const count = bed.full ? 100_000 : 20_000;
  const alsoMany = (folder: string): CopyTool[] => [tarTool(folder), gitTool(folder)];
  yield* inRounds(bed, "many", alsoMany, async (work, folder) => {
    await manyFiles(work, folder, count);
  });
}

/** Runs a work several times, each time with tools that have stored nothing, and gives its rows. */
async function* inRounds(
  bed: Bed,
  name: string,
  also: (folder: string) => readonly CopyTool[],
  work: (work: Work, folder: string) => Promise<void>,
): AsyncGenerator<Row, void, void> {
  const rounds = bed.full ? 3 : 2;
  const figures: Figures = new Map();
  for (let round = 0; round < rounds; round++) {
    const folder = join(bed.folder, `${name}_${round}`);
    mkdirSync(folder);
    const tools = [
      mammothTool(bed.daemon, `${name}_${round}`, name === "many" ? ["-r", "--sync"] : undefined),
      ...[resticTool(folder), borgTool(folder)].filter(isInstalled),
      cpTool(folder),
      ...also(folder),
    ];
    for (const tool of tools) await tool.prepare();
    await work({ bed, tools, figures }, folder);
    rmSync(folder, { recursive: true, force: true });
  }
  for (const [what, byTool] of figures) yield* rowsOf(what, byTool);
}

function isInstalled(tool: CopyTool): boolean {
  return spawnSync(tool.name, ["--version"]).error === undefined;
}

function* rowsOf(what: string, byTool: ReadonlyMap<string, number[]>): Generator<Row, void, void> {
  const unit: Unit = what.includes("stored") ? "MB" : "s";
  const [own, ...peers] = [...byTool];
  if (own === undefined) return;
  for (const [peer, values] of peers)
    yield { what, unit, values: own[1], peer: { what: peer, values } };
}

async function largeFile(work: Work, folder: string, bytes: number): Promise<void> {
  const source = join(folder, "source");
  mkdirSync(source);
  const file = join(source, "random");
  await writeSlices(file, randomBytes(bytes));
  const size = `${Math.round(bytes / 2 ** 20)} MiB random`;
  await each(work, `ingest of ${size}`, (tool) =>
    tool.save(tool.name.startsWith("bare") ? file : source),
  );
  await insert(file, bytes / 2, randomBytes(1_000));
  await storing(work, `${size}, 1 000 bytes inserted in the middle`, source);
  await restoring(work, `restore of ${size}`, folder, source);
}

async function logFile(work: Work, folder: string, bytes: number): Promise<void> {
  const source = join(folder, "source");
  mkdirSync(source);
  const file = join(source, "access.log");
  await writeSlices(file, textLines(bytes, 0));
  const size = `${Math.round(bytes / 2 ** 20)} MiB of log`;
  await each(work, `ingest of ${size}`, (tool) => tool.save(source));
  await insert(file, 1_000, [Buffer.from("one line more\n")]);
  await storing(work, `${size}, one line inserted near the start`, source);
}

async function manyFiles(work: Work, folder: string, count: number): Promise<void> {
  const source = join(folder, "source");
  writeSmallFiles(source, count);
  const size = `${count} files of 4 KiB`;
  await each(work, `ingest of ${size}`, (tool) => tool.save(source));
  await each(work, `unchanged: ${size}`, (tool) => tool.saveAgain?.(source));
  await restoring(work, `restore of ${size}`, folder, source);
}

/** Times what each tool does, one after the other, on files that are not in the page cache. */
async function each(
  { tools, figures }: Work,
  what: string,
  act: (tool: CopyTool) => Promise<void> | undefined,
): Promise<void> {
  for (const tool of tools) {
    forgetPages();
    let isDone = true;
    const ms = await msOf(async () => {
      const done = act(tool);
      isDone = done !== undefined;
      await done;
    });
    if (isDone) note(figures, what, tool, ms / 1_000);
  }
}

/** Times storing a source that has changed since the last copy, and how much larger the storage is then. */
async function storing(work: Work, what: string, source: string): Promise<void> {
  for (const tool of work.tools) {
    if (tool.saveAgain === undefined) continue;
    const before = storedBytes(tool);
    await each({ ...work, tools: [tool] }, what, () => tool.save(source));
    note(work.figures, `${what}: stored`, tool, (storedBytes(tool) - before) / 1e6);
  }
}

async function restoring(work: Work, what: string, folder: string, source: string): Promise<void> {
  for (const tool of work.tools) {
    const target = join(folder, "restored");
    mkdirSync(target);
    await each({ ...work, tools: [tool] }, what, () => tool.restore?.(source, target));
    rmSync(target, { recursive: true });
  }
}

function note(figures: Figures, what: string, tool: CopyTool, value: number): void {
  const byTool = figures.get(what) ?? new Map<string, number[]>();
  figures.set(what, byTool);
  byTool.set(tool.name, [...(byTool.get(tool.name) ?? []), value]);
}

function storedBytes({ storage }: CopyTool): number {
  const printed = execFileSync("du", ["-sb", storage ?? ""], { encoding: "utf8" });
  return Number(printed.split("\t")[0]);
}

/** As root; for others everything may be in memory for all tools alike. */
function forgetPages(): void {
  execFileSync("sync");
  try {
    writeFileSync("/proc/sys/vm/drop_caches", "1");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EACCES")) throw error;
  }
}

/** Makes a file longer at an offset, by way of a second one. */
async function insert(path: string, offset: number, slices: Iterable<Buffer>): Promise<void> {
  const added = Buffer.concat([...slices]);
  const longer = `${path}.longer`;
  execFileSync("sh", [
    "-c",
    '{ head -c "$2" "$0"; printf "%s" "$3" | base64 -d; tail -c "+$(($2 + 1))" "$0"; } > "$1" && mv "$1" "$0"',
    path,
    longer,
    String(offset),
    added.toString("base64"),
  ]);
  const file = await open(path, "r");
  await file.sync();
  await file.close();
}
