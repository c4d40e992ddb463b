import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { present } from "../../base/assert.ts";
import { CodedError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { smallYoungHeap } from "../../base/young-heap.ts";
import type { Call, Early } from "./engine.ts";
import type { GroupEnd, GroupRunner } from "./queued-store.ts";
import { errorOf, type Refusal } from "./refusal.ts";
import type { ThreadData, ThreadReply, ThreadRequest } from "./sqlite-thread.ts";

/** Runs groups in the database's thread. */
export class ThreadRunner implements GroupRunner {
  readonly died: Promise<CodedError>;
  private readonly dead = Promise.withResolvers<CodedError>();
  private readonly worker: Worker;
  private readonly log: Log;
  private readonly opened = Promise.withResolvers<void>();
  private readonly running: {
    readonly end: PromiseWithResolvers<GroupEnd>;
    readonly give: Early;
  }[] = [];
  private readonly ended = Promise.withResolvers<void>();
  private closing = false;
  private death: CodedError | undefined;

  constructor(data: ThreadData, log: Log) {
    this.log = log;
    this.died = this.dead.promise;
    // The thread's file ends as this one does: .ts in a checkout, .js in the package.
    const file = new URL(`./sqlite-thread${extname(import.meta.url)}`, import.meta.url);
    this.worker = new Worker(file, { workerData: data, resourceLimits: smallYoungHeap });
    this.worker.on("message", (reply: ThreadReply) => {
      this.take(reply);
    });
    this.worker.on("error", (error) => {
      this.die(error);
    });
    this.worker.on("exit", () => {
      this.die(undefined);
      this.ended.resolve();
    });
  }

  /** Resolves once the database is open. */
  async open(): Promise<void> {
    await this.opened.promise;
  }

  async run(calls: readonly Call[], give: Early): Promise<GroupEnd> {
    if (this.death !== undefined) throw this.death;
    const end = Promise.withResolvers<GroupEnd>();
    this.running.push({ end, give });
    this.send({ kind: "run", calls });
    return await end.promise;
  }

  async close(): Promise<void> {
    this.closing = true;
    if (this.death === undefined) this.send({ kind: "close" });
    // Its thread would write the log back as it ends, from pages that may not be on the disk.
    if (this.death?.details["trusted"] === 0) return;
    await this.ended.promise;
  }

  private send(request: ThreadRequest): void {
    this.worker.postMessage(request);
  }

  private take(reply: ThreadReply): void {
    switch (reply.kind) {
      case "opened":
        this.opened.resolve();
        break;
      case "refused":
        this.closing = true;
        this.opened.reject(errorOf(reply.refusal));
        break;
      case "distrusted":
        this.distrust(reply.refusal);
        break;
      case "early":
        present(this.running[0], "the group that runs").give(reply.answers);
        break;
      case "answered": {
        const { end, give } = present(this.running.shift(), "the group that was answered");
        give(reply.answers);
        end.resolve({ committed: reply.committed });
        break;
      }
    }
  }

  /** The disk did not keep what it was given: only who reads it anew knows what is there. */
  private distrust({ message }: Refusal): void {
    this.log.error({ error: message }, "the metadata's disk has failed");
    this.end(
      new CodedError(
        "unavailable",
        `${message}. What was under way may or may not be there: the daemon ends, start it again`,
        { details: { trusted: 0 } },
      ),
    );
  }

  /** Whoever waits is told: what they asked for may or may not have happened. */
  private die(error: unknown): void {
    const isUnexpected = error !== undefined || !this.closing;
    if (isUnexpected) {
      this.log.error({ err: error }, "the metadata database's thread has died");
    }
    const death = new CodedError(
      "unavailable",
      "The metadata database's thread has died. Look at the daemon's log, then start it again",
      { cause: error },
    );
    if (isUnexpected) this.end(death);
    else this.fail(death);
  }

  private end(death: CodedError): void {
    this.fail(death);
    this.dead.resolve(death);
  }

  private fail(death: CodedError): void {
    this.death ??= death;
    this.opened.reject(this.death);
    for (const { end } of this.running.splice(0)) end.reject(this.death);
  }
}
