import { join } from "node:path";
import { sha256Hex } from "../../base/hash.ts";
import type { ScannedFile } from "../../localfiles/index.ts";
import type { Context } from "../context.ts";

/** What a file was when the folders were alike. */
interface CachedFile {
  /** See ScannedFile; "" where it could change without being seen. */
  readonly stamp: string;
  /** Of the content; "" where it is not known. */
  readonly digest: string;
}

/** A folder of this machine when one of a commit was made like it. */
export interface SyncMemory {
  /** Of the folder of the commit. */
  readonly rootDigest: string;
  /** Whether that had nothing else. */
  readonly isExact: boolean;
  readonly files: ReadonlyMap<string, CachedFile>;
}

const version = 1;

/** Remembers what was synchronised, so that a folder which did not change is only looked at. Losing it costs time. */
export class SyncCache {
  private readonly context: Context;
  private readonly file: string | undefined;

  /** @param facts what makes two commands about the same folders */
  constructor(context: Context, facts: readonly string[]) {
    const { cacheFolder, address = "" } = context.deps;
    const name = sha256Hex(Buffer.from(JSON.stringify([address, ...facts])));
    this.context = context;
    this.file = cacheFolder === undefined ? undefined : join(cacheFolder, "sync", name);
  }

  async read(): Promise<SyncMemory | undefined> {
    if (this.file === undefined) return undefined;
    try {
      const text = await this.context.deps.fileSystem.readFile(this.file, "utf8");
      return memoryIn(JSON.parse(text) as unknown);
    } catch {
      // None yet, or one that was cut short: it is made anew.
      return undefined;
    }
  }

  async write({ rootDigest, isExact, files }: SyncMemory): Promise<void> {
    if (this.file === undefined) return;
    const { fileSystem, random } = this.context.deps;
    const flat = [...files].flatMap(([path, { stamp, digest }]) => [path, stamp, digest]);
    const beside = `${this.file}.${random.bytes(6).toString("hex")}`;
    try {
      await fileSystem.mkdir(join(this.file, ".."), { recursive: true, mode: 0o700 });
      await fileSystem.writeFile(
        beside,
        JSON.stringify({ version, rootDigest, isExact, files: flat }),
      );
      await fileSystem.rename(beside, this.file);
    } catch (error) {
      await fileSystem.rm(beside, { force: true }).catch(() => undefined);
      this.context.note(`The next --sync will take longer: ${(error as Error).message}`);
    }
  }
}

/**
 * Files as they are to be remembered when the folders are alike. Of what was sent no digest is: it was taken before the
 * bytes were read again to be sent, and they may have been others by then.
 *
 * @param lookedMs when they were looked at, in milliseconds since 1970
 */
export function rememberedFiles(
  scanned: ReadonlyMap<string, Pick<ScannedFile, "stamp" | "changedMs">>,
  {
    same,
    known,
  }: { readonly same: ReadonlySet<string>; readonly known: ReadonlyMap<string, string> },
  lookedMs: number,
): Map<string, CachedFile> {
  const files = new Map<string, CachedFile>();
  for (const [below, { stamp, changedMs }] of scanned) {
    const digest = same.has(below) ? known.get(below) : undefined;
    const isSure = changedMs + tickMsOf(changedMs) < lookedMs;
    files.set(below, { stamp: isSure ? stamp : "", digest: digest ?? "" });
  }
  return files;
}

/** So much later a file may change once more without its times telling: some file systems count seconds, two at a time. */
function tickMsOf(changedMs: number): number {
  return changedMs % 1_000 === 0 ? 2_000 : 100;
}

function memoryIn(parsed: unknown): SyncMemory | undefined {
  const given = parsed as Partial<Record<"version" | "rootDigest" | "isExact" | "files", unknown>>;
  const { rootDigest, isExact, files: flat } = given;
  if (given.version !== version || typeof rootDigest !== "string") return undefined;
  if (typeof isExact !== "boolean" || !Array.isArray(flat)) return undefined;
  if (!flat.every((one) => typeof one === "string")) return undefined;
  const files = new Map<string, CachedFile>();
  for (let i = 0; i + 2 < flat.length; i += 3)
    files.set(flat[i]!, { stamp: flat[i + 1]!, digest: flat[i + 2]! });
  return { rootDigest, isExact, files };
}
