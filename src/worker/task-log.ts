import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { KiB, MiB } from "../base/size.ts";
import { Redactor } from "./redactor.ts";
import { untilAvailable } from "./until-available.ts";
import type { ClaimedTask, WorkerHost } from "./worker-host.ts";

const batchBytesMax = 64 * KiB;
const batchAgeMs = 200;
const attemptBytesMax = 8 * MiB;
const tailBytesMax = 2 * KiB;

/**
 * The log of one attempt on its way to the host: in batches of up to 64 KiB or 200 ms, at most
 * 8 MiB, with a note where it was cut. A host that takes no log does not fail the task.
 */
export class TaskLog {
  private readonly options: { readonly host: WorkerHost; readonly clock: Clock; readonly log: Log };
  private readonly task: ClaimedTask;
  private readonly signal: AbortSignal;
  private sentBytes = 0;
  private redactor = new Redactor([]);
  private batch: Buffer[] = [];
  private batchBytes = 0;
  private totalBytes = 0;
  private tailBytes: Buffer = Buffer.alloc(0);
  private sending: Promise<void> = Promise.resolve();
  private timer: AbortController | undefined;

  /** @param signal when it fires, a host that is away is not waited for any more */
  constructor(
    options: { host: WorkerHost; clock: Clock; log: Log },
    task: ClaimedTask,
    signal: AbortSignal,
  ) {
    this.options = options;
    this.task = task;
    this.signal = signal;
  }

  /** Takes a piece of the command's output; waits when the host is slow. */
  async write(piece: Uint8Array): Promise<void> {
    await this.keep(this.redactor.take(piece));
  }

  /** From here on the values of these secrets are not in the log. */
  hide(values: ConstructorParameters<typeof Redactor>[0]): void {
    this.redactor = new Redactor(values);
  }

  /** A text without the values of secrets. */
  hidden(text: string): string {
    return this.redactor.text(text);
  }

  /** Takes what waits for its end: there is no more. */
  async end(): Promise<void> {
    await this.keep(this.redactor.rest());
  }

  private async keep(piece: Buffer): Promise<void> {
    if (piece.length === 0) return;
    this.tailBytes = Buffer.concat([this.tailBytes, piece]).subarray(-tailBytesMax);
    const room = attemptBytesMax - this.totalBytes;
    this.totalBytes += piece.length;
    if (room < 0) return;
    this.add(piece.subarray(0, room));
    if (piece.length > room) this.add(Buffer.from("\n(the log is cut here: it may have 8 MiB)\n"));
    if (this.batchBytes >= batchBytesMax) await this.flush();
  }

  /** Adds a line of ours, whatever the length so far. */
  note(line: string): void {
    const lineEnd = this.tailBytes.length === 0 || this.tailBytes.at(-1) === 0x0a ? "" : "\n";
    this.add(Buffer.from(`${lineEnd}${this.hidden(line)}\n`));
  }

  /** The last lines of the command's output, at most 2 KiB. */
  tail(): string {
    const text = this.tailBytes.toString("utf8");
    const isCut = this.totalBytes > this.tailBytes.length && text.includes("\n");
    return (isCut ? text.slice(text.indexOf("\n") + 1) : text).trim();
  }

  /** Sends what is left; settles when the host has it all. */
  async close(): Promise<void> {
    await this.flush();
  }

  private add(piece: Uint8Array): void {
    // The piece is only ours until we return.
    this.batch.push(Buffer.from(piece));
    this.batchBytes += piece.length;
    if (this.timer === undefined) this.startTimer();
  }

  private startTimer(): void {
    const timer = new AbortController();
    this.timer = timer;
    this.options.clock.sleep(batchAgeMs, timer.signal).then(
      async () => await this.flush(),
      () => undefined,
    );
  }

  private async flush(): Promise<void> {
    this.timer?.abort();
    this.timer = undefined;
    const bytes = Buffer.concat(this.batch);
    this.batch = [];
    this.batchBytes = 0;
    this.sending = this.sending.then(async () => await this.send(bytes));
    await this.sending;
  }

  private async send(bytes: Buffer): Promise<void> {
    const { host, log } = this.options;
    for (let at = 0; at < bytes.length; at += batchBytesMax) {
      const part = bytes.subarray(at, at + batchBytesMax);
      const offset = this.sentBytes;
      this.sentBytes += part.length;
      const append = async (): Promise<void> => await host.appendLog(this.task, offset, part);
      try {
        await (this.signal.aborted
          ? append()
          : untilAvailable(append, { clock: this.options.clock, signal: this.signal }));
      } catch (error) {
        log.warn(
          { job: this.task.jobId, task: this.task.task, error: String(error) },
          "Part of a task's log is lost",
        );
      }
    }
  }
}
