import type * as nodeFs from "node:fs/promises";
import { Refusal } from "../refusal.ts";
import type { ScratchFile } from "../tree/scratch.ts";

/** The part of the file system that kept files use. */
export type KeptFs = Pick<typeof nodeFs, "mkdir" | "open" | "unlink">;

type OpenFile = Awaited<ReturnType<KeptFs["open"]>>;

interface Kept {
  readonly path: string;
  file: Promise<OpenFile> | undefined;
  users: number;
}

/** Files that are open at a time. */
const openMax = 32;

/**
 * Scratch files of one folder, however many: few are open at a time. The folder is made with the first; whoever owns it
 * removes what is left in it.
 */
export class KeptFiles {
  private readonly options: { readonly fs: KeptFs; readonly folder: string };
  /** Those that are open, least recently used first. */
  private readonly opened = new Set<Kept>();
  private made = 0;
  private isClosed = false;

  constructor(options: KeptFiles["options"]) {
    this.options = options;
  }

  async make(): Promise<ScratchFile> {
    const { fs, folder } = this.options;
    await fs.mkdir(folder, { recursive: true, mode: 0o700 });
    const kept: Kept = { path: `${folder}/${++this.made}`, file: undefined, users: 0 };
    await this.use(kept, "wx+", () => Promise.resolve());
    const using = async <T>(work: (file: OpenFile) => Promise<T>): Promise<T> =>
      await this.use(kept, "r+", work);
    return {
      write: async (bytes, from, count, at) =>
        await using(async (file) => await file.write(bytes, from, count, at)),
      read: async (into, from, count, at) =>
        await using(async (file) => await file.read(into, from, count, at)),
      truncate: async (bytes) => {
        await using(async (file) => await file.truncate(bytes));
      },
      close: async () => {
        await this.shut(kept);
        if (!this.isClosed) await fs.unlink(kept.path);
      },
    };
  }

  /** Closes all of them: what was written is not needed any more. */
  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.allSettled([...this.opened].map(async (kept) => await this.shut(kept)));
  }

  private async use<T>(
    kept: Kept,
    flags: "r+" | "wx+",
    work: (file: OpenFile) => Promise<T>,
  ): Promise<T> {
    if (this.isClosed) throw new Refusal("ESTALE");
    this.opened.delete(kept);
    this.opened.add(kept);
    kept.users++;
    try {
      kept.file ??= this.options.fs.open(kept.path, flags, 0o600);
      return await work(await kept.file);
    } catch (error) {
      // One that could not be opened is tried again.
      await kept.file?.catch(() => (kept.file = undefined));
      throw error;
    } finally {
      kept.users--;
      if (this.isClosed) await this.shut(kept);
      await this.shutSome();
    }
  }

  private async shutSome(): Promise<void> {
    for (const kept of this.opened) {
      if (this.opened.size <= openMax) return;
      if (kept.users === 0) await this.shut(kept);
    }
  }

  private async shut(kept: Kept): Promise<void> {
    const { file } = kept;
    kept.file = undefined;
    this.opened.delete(kept);
    await (await file)?.close();
  }
}
