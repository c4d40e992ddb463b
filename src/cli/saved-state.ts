import type { Context } from "./context.ts";

const everyMs = 250;

/** Notes how far something is, now and then, in a file beside it: the same command typed again goes on from there. */
export class SavedState<T> {
  private readonly context: Context;
  private readonly file: string;
  private readonly now: () => T;
  private savedMs = 0;
  private saving: Promise<void> | undefined;

  constructor(context: Context, file: string, now: () => T) {
    this.context = context;
    this.file = file;
    this.now = now;
  }

  /** What the file says; undefined when there is none that can be read. */
  static async read<T>({ deps }: Context, file: string): Promise<T | undefined> {
    try {
      return JSON.parse(await deps.fileSystem.readFile(file, "utf8")) as T;
    } catch {
      return undefined;
    }
  }

  /** Something has been done. */
  touch(): void {
    const nowMs = this.context.deps.clock.monotonicMs();
    if (this.saving !== undefined || nowMs - this.savedMs < everyMs) return;
    this.savedMs = nowMs;
    // Without it the next command does more than it had to.
    this.saving = this.save()
      .catch(() => undefined)
      .finally(() => {
        this.saving = undefined;
      });
  }

  /** Notes how far it is, at once. */
  async save(): Promise<void> {
    const { fileSystem } = this.context.deps;
    const next = `${this.file}.new`;
    await fileSystem.writeFile(next, JSON.stringify(this.now()));
    await fileSystem.rename(next, this.file);
  }

  /** It is broken off. */
  async pause(): Promise<void> {
    await this.saving;
    await this.save().catch(() => undefined);
  }

  /** All is done. */
  async remove(): Promise<void> {
    await this.saving;
    await this.context.deps.fileSystem.rm(this.file, { force: true });
  }
}
