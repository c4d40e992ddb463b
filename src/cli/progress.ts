import { formatBytes } from "../base/size.ts";
import type { Context } from "./context.ts";

/** How much there is in all. */
export interface Totals {
  /** Undefined when nobody knows. */
  readonly files?: number | undefined;
  readonly bytes: number;
}

/** What is quick shows nothing. */
const silentMs = 500;
const everyMs = 200;
const barWidth = 20;
const clearLine = "\r\u001b[K";

/** One line on the terminal that tells how far a transfer is: files, bytes, rate, time left. */
export class Progress {
  /** Undefined while they are not known: then there is no bar and no time left. */
  totals: Totals | undefined;
  private files = 0;
  private bytes = 0;
  /** Of them those that were there before: they say nothing about the rate. */
  private keptBytes = 0;
  private readonly startedMs: number;
  private shownMs = 0;
  private readonly context: Context;
  private readonly columns: number;

  private constructor(context: Context, columns: number) {
    this.context = context;
    this.columns = columns;
    this.startedMs = context.deps.clock.monotonicMs();
  }

  /** Undefined where nobody looks: when standard error is no terminal. */
  static open(context: Context): Progress | undefined {
    const { errorColumns } = context.deps;
    return errorColumns === undefined ? undefined : new Progress(context, errorColumns);
  }

  /**
   * Passes a file's bytes on and counts them; what is read again, for another try, counts once. Before the offset from
   * which it is opened all is there already.
   */
  counted<T extends Uint8Array>(
    open: (offsetBytes: number) => AsyncIterable<T>,
  ): (offsetBytes?: number) => AsyncGenerator<T, void, void> {
    const own = { files: 0, bytes: 0 };
    const add = (files: number, bytes: number): void => {
      own.files += files;
      own.bytes += bytes;
      this.files += files;
      this.bytes += bytes;
      this.show();
    };
    const keep = (bytes: number): void => {
      this.keptBytes += bytes;
    };
    return async function* (offsetBytes = 0) {
      // Of the first look all that is skipped was sent by a command before.
      if (own.bytes === 0) keep(offsetBytes);
      add(-own.files, offsetBytes - own.bytes);
      for await (const piece of open(offsetBytes)) {
        add(0, piece.length);
        yield piece;
      }
      add(1, 0);
    };
  }

  /** Counts what went without passing through here. */
  add(files: number, bytes: number): void {
    this.files += files;
    this.bytes += bytes;
    this.show();
  }

  /** Counts what is there already. */
  keep(files: number, bytes: number): void {
    this.keptBytes += bytes;
    this.add(files, bytes);
  }

  /** Takes the line away. */
  close(): void {
    if (this.shownMs > 0) this.context.deps.stderr.write(clearLine);
    this.shownMs = 0;
  }

  private show(): void {
    const nowMs = this.context.deps.clock.monotonicMs();
    const elapsedMs = nowMs - this.startedMs;
    if (elapsedMs < silentMs || nowMs - this.shownMs < everyMs) return;
    this.shownMs = nowMs;
    const { files, bytes, keptBytes } = this;
    // A line that is too long would wrap, and could not be taken away.
    const line = progressText({ files, bytes, keptBytes }, this.totals, elapsedMs).slice(
      0,
      this.columns - 1,
    );
    this.context.deps.stderr.write(clearLine + line);
  }
}

/** `[#####               ] 25 %  3 of 12 files  2 MiB of 8 MiB  1 MiB/s  6 s left` */
export function progressText(
  done: { readonly files: number; readonly bytes: number; readonly keptBytes?: number },
  totals: Totals | undefined,
  elapsedMs: number,
): string {
  const perSecond = ((done.bytes - (done.keptBytes ?? 0)) * 1_000) / Math.max(1, elapsedMs);
  const rate = `${formatBytes(Math.round(perSecond))}/s`;
  if (totals === undefined || totals.bytes === 0)
    return `${filesText(done.files)}  ${formatBytes(done.bytes)}  ${rate}`;
  const part = Math.min(1, done.bytes / totals.bytes);
  const bar = "#".repeat(Math.floor(part * barWidth)).padEnd(barWidth);
  const files =
    totals.files === undefined
      ? filesText(done.files)
      : `${done.files} of ${filesText(totals.files)}`;
  const bytes = `${formatBytes(done.bytes)} of ${formatBytes(totals.bytes)}`;
  const leftSeconds = Math.ceil((totals.bytes - done.bytes) / Math.max(1, perSecond));
  return `[${bar}] ${Math.floor(part * 100)} %  ${files}  ${bytes}  ${rate}  ${leftText(Math.max(0, leftSeconds))} left`;
}

function filesText(files: number): string {
  return files === 1 ? "1 file" : `${files} files`;
}

function leftText(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}
