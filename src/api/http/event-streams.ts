import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { saidError } from "./error-answer.ts";
import { signalOf } from "./request-context.ts";
import type { Answer } from "./route.ts";

/** Something to tell a reader of a stream. */
export interface ServerEvent {
  readonly event: string;
  readonly data: unknown;
  /** A reader that lost the stream sends it back as Last-Event-ID, to go on behind it. */
  readonly id?: string;
}

export interface EventStreamsOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Fires when the daemon takes no new requests: streams end then. */
  readonly stopping: AbortSignal;
  /** That go on at once. */
  readonly streamsMax: number;
}

type Batches = AsyncGenerator<readonly ServerEvent[], void, void>;

/** So often a stream that has nothing to say shows that it lives. */
const heartbeatMs = 15_000;
const type = "text/event-stream";

/** Answers that go on: server-sent events. */
export class EventStreams {
  private readonly options: EventStreamsOptions;
  private going = 0;

  constructor(options: EventStreamsOptions) {
    this.options = options;
  }

  /**
   * Answers with events until there are no more (`end`), something fails (`error`) or the caller goes. What
   * fails before the first batch is a refusal as of any other route. Nothing is asked for before the reader
   * has taken what was there.
   *
   * @throws CodedError `unavailable` when too many go on
   */
  async send(
    { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
    open: (signal: AbortSignal) => Batches,
  ): Promise<FastifyReply> {
    const { stopping, streamsMax } = this.options;
    if (this.going >= streamsMax)
      throw new CodedError(
        "unavailable",
        `Cannot begin another stream of events: ${streamsMax} go on. Close some, or try again later`,
      );
    this.going++;
    reply.raw.once("close", () => this.going--);
    const batches = open(AbortSignal.any([signalOf(reply), stopping]));
    const first = await batches.next().catch((error: unknown) => {
      throw this.reasonOf(error);
    });
    void reply.type(`${type}; charset=utf-8`).header("cache-control", "no-store");
    const texts = this.texts(first, batches, request);
    return await reply.send(Readable.from(texts, { objectMode: false }));
  }

  private async *texts(
    first: IteratorResult<readonly ServerEvent[], void>,
    batches: Batches,
    request: FastifyRequest,
  ): AsyncGenerator<string, void, void> {
    yield "retry: 2000\n\n";
    try {
      for (let next = first; next.done !== true;) {
        for (const event of next.value) yield textOf(event);
        const coming = batches.next();
        // Thrown where it is awaited.
        coming.catch(() => undefined);
        for (;;) {
          const come = await this.soon(coming);
          if (come !== undefined) {
            next = come;
            break;
          }
          yield ": still here\n\n";
        }
      }
      yield textOf({ event: "end", data: {} });
    } catch (thrown) {
      const error = saidError(this.reasonOf(thrown), request, this.options.log);
      yield textOf({ event: "error", data: { error } });
    } finally {
      // It ends by its signal; nobody waits for that.
      batches.return().catch(() => undefined);
    }
  }

  /** What comes until the next heartbeat; undefined when nothing does. */
  private async soon<T>(coming: Promise<T>): Promise<T | undefined> {
    const come = new AbortController();
    const beat = this.options.clock.sleep(heartbeatMs, come.signal).then(
      () => undefined,
      () => undefined,
    );
    try {
      return await Promise.race([coming, beat]);
    } finally {
      come.abort();
    }
  }

  private reasonOf(thrown: unknown): unknown {
    if (!this.options.stopping.aborted) return thrown;
    return new CodedError("unavailable", "The daemon is stopping: connect again in a moment");
  }
}

/** Whether a caller would rather have events. */
export function wantsEvents({ method, headers }: FastifyRequest): boolean {
  return method !== "HEAD" && (headers.accept ?? "").includes(type);
}

/** The id of the last event that a caller got. */
export function lastEventId({ headers }: FastifyRequest): string | undefined {
  const id = headers["last-event-id"];
  return typeof id === "string" && id !== "" ? id : undefined;
}

/** The same where ids are numbers; 0 for none. @throws CodedError `invalid_argument` */
export function lastEventNumber(request: FastifyRequest): number {
  const id = lastEventId(request) ?? "0";
  if (/^\d{1,15}$/.test(id)) return Number(id);
  throw new CodedError(
    "invalid_argument",
    `Cannot go on after event ${JSON.stringify(id)}: the ids of this stream are numbers`,
  );
}

/** Answers with events, when they are accepted; `shapes` is what each carries. */
export function events(shapes: Readonly<Record<string, z.ZodType>>, text: string): Answer<unknown> {
  return { status: 200, text, type, events: shapes };
}

/** JSON has no line break outside of strings, and none inside. */
function textOf({ event, data, id }: ServerEvent): string {
  const line = id === undefined ? "" : `id: ${id}\n`;
  return `${line}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
