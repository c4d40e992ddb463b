import type { Clock } from "../../base/clock.ts";
import { codedErrorFrom, isCoded } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { quote } from "../../base/quote.ts";
import type { DirectoryPage, ViewFile, ViewRef } from "../../model/claimed-task.ts";
import { Refusal } from "../refusal.ts";
import type { Content } from "../tree/content.ts";
import type { ViewSource } from "./view-source.ts";

export interface ShownViewDeps {
  readonly source: ViewSource;
  readonly clock: Clock;
  readonly log: Log;
  /** How long programs wait for a source that is away; then they get an error. */
  readonly patienceMs: number;
}

const pauseMs = 250;

/** One view as it is read through a mount: what was brought of it, and whether that has failed. */
export class ShownView {
  /** What the source knows it by: another name may do when its commit is gone. */
  ref: ViewRef;
  /** Bytes of content that were brought so far. */
  fetchedBytes = 0;
  /** How often programs that read it were given errors; what such a program makes of it is nothing. */
  failures = 0;
  /** Why, the last time. */
  lastFailure = "";
  private readonly deps: ShownViewDeps;

  constructor(ref: ViewRef, deps: ShownViewDeps) {
    this.ref = ref;
    this.deps = deps;
  }

  /** @throws Refusal */
  async list(wanted: DirectoryPage, signal: AbortSignal): Promise<readonly ViewFile[]> {
    const what = `list ${quote(wanted.directory)}`;
    const call = async (): Promise<readonly ViewFile[]> =>
      await this.deps.source.listDirectory(this.ref, wanted, signal);
    return await this.ask(what, signal, call);
  }

  /** @throws Refusal */
  async find(path: string, signal: AbortSignal): Promise<ViewFile | undefined> {
    const call = async (): Promise<ViewFile | undefined> =>
      await this.deps.source.findFile(this.ref, path, signal);
    return await this.ask(`look at ${quote(path)}`, signal, call);
  }

  /** The content of a file of it. */
  contentOf({ path, bytes: sizeBytes, digest: key }: ViewFile): Content {
    return { key, sizeBytes, fetch: (range, signal) => this.fetch(path, range, signal) };
  }

  private async *fetch(
    path: string,
    { start, end }: { start: number; end: number },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, void> {
    const { source, clock, patienceMs } = this.deps;
    let at = start;
    for (let triedMs = clock.monotonicMs(); at < end;) {
      try {
        for await (const piece of source.readFile(this.ref, path, signal, { start: at, end })) {
          at += piece.length;
          this.fetchedBytes += piece.length;
          triedMs = clock.monotonicMs();
          // Who takes it gives its memory back, and that of a source may be another's.
          yield Buffer.from(piece);
        }
        return;
      } catch (error) {
        await this.pauseOrRefuse(`read ${quote(path)}`, {
          error,
          untilMs: triedMs + patienceMs,
          signal,
        });
      }
    }
  }

  private async ask<T>(what: string, signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    const untilMs = this.deps.clock.monotonicMs() + this.deps.patienceMs;
    for (;;) {
      try {
        return await call();
      } catch (error) {
        await this.pauseOrRefuse(what, { error, untilMs, signal });
      }
    }
  }

  /** Returns when it is time to ask again. @throws Refusal when it is over */
  private async pauseOrRefuse(
    what: string,
    failed: { readonly error: unknown; readonly untilMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const { clock } = this.deps;
    const { error, untilMs, signal } = failed;
    if (signal.aborted) throw new Refusal("EINTR", { cause: error });
    if (isCoded(error, "unavailable") && clock.monotonicMs() < untilMs) {
      await clock.sleep(pauseMs, signal).catch(() => undefined);
      return;
    }
    throw this.refusal(what, error);
  }

  /** What a program is told of something that went wrong, which is noted. */
  refusal(what: string, error: unknown): Refusal {
    this.failures++;
    this.lastFailure = `Cannot ${what}: ${codedErrorFrom(error).message}`;
    this.deps.log.error({}, this.lastFailure);
    return new Refusal("EIO", { cause: error });
  }
}
