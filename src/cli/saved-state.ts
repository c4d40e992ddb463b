import { hasErrno } from "../base/errno.ts";
import { CodedError } from "../base/errors.ts";
import type { Context } from "./context.ts";
import { isRunning, ownerOf, pidOf } from "./owner.ts";

const everyMs = 250;

/** Notes how far something is, now and then, in a file beside it: the same command typed again goes on from there. */
export class SavedState<T> {
  private readonly context: Context;
  private readonly file: string;
  private readonly now: () => T;
  /** The process that saves; "" before it begins and after it breaks off. */
  private owner = "";
  private isBegun = false;
  private savedMs = 0;
  private saving: Promise<void> | undefined;

  constructor(context: Context, file: string, now: () => T) {
    this.context = context;
    this.file = file;
    this.now = now;
  }

  /**
   * What the file says; undefined when there is none that can be read.
   *
   * @throws failed_precondition while the command that wrote it runs
   */
  static async read<T>({ deps: { fileSystem } }: Context, file: string): Promise<T | undefined> {
    let state: T & { readonly owner?: unknown };
    try {
      state = JSON.parse(await fileSystem.readFile(file, "utf8")) as typeof state;
    } catch {
      return undefined;
    }
    const { owner } = state;
    if (typeof owner === "string" && (await isRunning(fileSystem, owner)))
      throw new CodedError(
        "failed_precondition",
        `Cannot save: process ${pidOf(owner)} does it already, as ${file} tells. Wait for it, or end it`,
      );
    return state;
  }

  /** From here on nobody else does the same. @throws failed_precondition when somebody does */
  async begin(): Promise<void> {
    const { fileSystem } = this.context.deps;
    this.owner = (await ownerOf(fileSystem, "self")) ?? "";
    try {
      await fileSystem.writeFile(this.file, this.text(), { flag: "wx" });
    } catch (error) {
      if (!hasErrno(error, "EEXIST")) throw error;
      await SavedState.read(this.context, this.file);
      await this.save();
    }
    this.isBegun = true;
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

  /** It is broken off. */
  async pause(): Promise<void> {
    if (!this.isBegun) return;
    await this.saving;
    this.owner = "";
    await this.save().catch(() => undefined);
  }

  /** All is done. */
  async remove(): Promise<void> {
    await this.saving;
    await this.context.deps.fileSystem.rm(this.file, { force: true });
  }

  private async save(): Promise<void> {
    const { fileSystem } = this.context.deps;
    const next = `${this.file}.new`;
    await fileSystem.writeFile(next, this.text());
    await fileSystem.rename(next, this.file);
  }

  private text(): string {
    return JSON.stringify({ ...this.now(), owner: this.owner });
  }
}
