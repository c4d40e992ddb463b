import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import type { Clock } from "../base/clock.ts";
import { CodedError, codedErrorFrom } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { randomHex, type Random } from "../base/random.ts";
import { collectedPackOf } from "../model/collected-pack.ts";
import type { Address } from "./address.ts";
import { isRepeatable, sendBody, type Body } from "./body.ts";
import { errorOfAnswer } from "./error-answer.ts";
import { explainConnection, isConnectionFailure, neverArrived } from "./lost-connection.ts";
import { withRetries } from "./retry.ts";

// An import statement reads every name that the module exports, which loads a second HTTP client: 80 ms.
const { Agent, request: httpRequest } = process.getBuiltinModule("node:http");

/** Accepted by every call. */
export interface CallOptions {
  /** Gives up waiting: the call fails with `cancelled`. */
  readonly signal?: AbortSignal | undefined;
}

/** Values of a query; absent ones are left out, lists repeat the name. */
export type Query = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

/** One call of the REST API. */
export interface Call extends CallOptions {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below `/api/v1`, encoded. */
  readonly path: string;
  readonly query?: Query | undefined;
  readonly json?: unknown;
  readonly body?: Body;
  readonly headers?: OutgoingHttpHeaders;
  /**
   * Whether it may be sent again when it is unknown if the first one arrived: reading calls, and those
   * that carry an idempotency key. Default: GET.
   */
  readonly repeatable?: boolean;
}

/** What every answer says about the daemon that gave it. */
export interface ServerFacts {
  /** Undefined when what answers does not say that it is a pachd. */
  readonly version: string | undefined;
  /** Its wall time, microseconds since 1970, to the second; undefined when the answer does not say it. */
  readonly timeMicros: number | undefined;
}

export interface ConnectionOptions {
  readonly address: Address;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Sent with every request, for a daemon that asks for one. */
  readonly token?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onServer?: ((facts: ServerFacts) => void) | undefined;
}

/** HTTP to one pachd, over sockets that are kept and reused. */
export class Connection {
  private readonly options: ConnectionOptions;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 64, maxFreeSockets: 8 });

  constructor(options: ConnectionOptions) {
    this.options = options;
  }

  /** Whether the daemon is asked for on this machine. */
  get isLoopback(): boolean {
    return /^(127(\.\d+){3}|::1|localhost)$/.test(this.options.address.host);
  }

  get clock(): Clock {
    return this.options.clock;
  }

  get random(): Random {
    return this.options.random;
  }

  /** The header by which a repeated request is recognised: one key for all tries of one call. */
  idempotent(key = randomHex(this.options.random)): {
    headers: OutgoingHttpHeaders;
    repeatable: true;
  } {
    return { headers: { "idempotency-key": key }, repeatable: true };
  }

  /** Sends a call and reads its JSON answer; undefined for an empty one. */
  async json<T>(call: Call): Promise<T> {
    return (await this.jsonFrom<T>(call)).value;
  }

  /** json(), and the address and port that it was asked of. */
  async jsonFrom<T>(
    call: Call,
  ): Promise<{ value: T; address: string | undefined; port: number | undefined }> {
    const answer = await this.send(call);
    const { remoteAddress: address, remotePort: port } = answer.socket;
    const parts: Buffer[] = [];
    for await (const part of this.read(answer)) parts.push(part);
    return { value: parsed<T>(call, parts), address, port };
  }

  /** Sends a call; its answer's bytes must be read to the end or the iteration left. */
  async bytes(call: Call): Promise<AsyncGenerator<Buffer, void, void>> {
    const answer = await this.send(call);
    return this.read(answer);
  }

  /** Closes all sockets; calls under way fail. */
  close(): void {
    this.agent.destroy();
  }

  private async send(call: Call): Promise<IncomingMessage> {
    const { clock, random, log } = this.options;
    const signal = either(call.signal, this.options.signal);
    const repeatable = call.repeatable ?? call.method === "GET";
    const canSendAgain = isRepeatable(call.body);
    const isRetryable = (error: unknown): boolean =>
      canSendAgain &&
      (neverArrived(error) || (repeatable && (isConnectionFailure(error) || isPassing(error))));
    const startedMs = clock.monotonicMs();
    try {
      const answer = await withRetries(() => this.attempt(call, signal), {
        clock,
        random,
        isRetryable,
        signal,
      });
      log.debug(
        {
          method: call.method,
          path: call.path,
          status: answer.statusCode,
          ms: Math.round(clock.monotonicMs() - startedMs),
        },
        "call",
      );
      return answer;
    } catch (error) {
      throw codedErrorFrom(explainConnection(error, this.options.address));
    }
  }

  private async attempt(call: Call, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    signal?.throwIfAborted();
    const body = call.json === undefined ? call.body : JSON.stringify(call.json);
    const { host, port } = this.options.address;
    const request = httpRequest({
      host,
      port,
      method: call.method,
      path: `/api/v1${call.path}${encodeQuery(call.query)}`,
      headers: {
        ...(call.json === undefined ? {} : { "content-type": "application/json" }),
        ...binaryType(call),
        ...(this.options.token === undefined
          ? {}
          : { authorization: `Bearer ${this.options.token}` }),
        ...call.headers,
      },
      // A kept socket may turn out dead; a body that cannot be sent twice gets a fresh one.
      agent: isRepeatable(body) ? this.agent : false,
      ...(signal === undefined ? {} : { signal }),
    });
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once("response", resolve);
      // Stays for the whole life of the request: errors after the answer show in the answer.
      request.on("error", reject);
      sendBody(request, body).catch((error: unknown) => {
        reject(error as Error);
        request.destroy();
      });
    });
    this.options.onServer?.(factsOf(answer));
    if ((answer.statusCode ?? 500) < 400) return answer;
    const error = await errorOfAnswer(answer);
    if (!request.writableFinished) request.destroy();
    throw error;
  }

  private async *read(answer: IncomingMessage): AsyncGenerator<Buffer, void, void> {
    try {
      yield* answer as AsyncIterable<Buffer>;
    } catch (error) {
      throw codedErrorFrom(explainConnection(error, this.options.address));
    }
  }
}

function parsed<T>({ method, path }: Call, parts: readonly Buffer[]): T {
  const text = Buffer.concat(parts).toString("utf8");
  if (text === "") return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new CodedError(
      "internal",
      `Cannot read the answer to ${method} ${path}: it is not JSON. Check that ADDRESS names a pachd`,
      { cause: error },
    );
  }
}

/** Nothing is listened to when nobody can cancel: that costs each call as much as its headers. */
function either(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a === undefined || b === undefined ? (a ?? b) : AbortSignal.any([a, b]);
}

/** Also when garbage collection took away what a request was about to rely on: it is stored again. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof CodedError)) return false;
  return error.code === "unavailable" || collectedPackOf(error) !== undefined;
}

function factsOf({ headers }: IncomingMessage): ServerFacts {
  const timeMs = Date.parse(headers.date ?? "");
  return {
    version: /^pachd\/(\S+)/.exec(String(headers["server"]))?.[1],
    timeMicros: Number.isNaN(timeMs) ? undefined : timeMs * 1_000,
  };
}

function binaryType(call: Call): OutgoingHttpHeaders {
  return call.body === undefined ? {} : { "content-type": "application/octet-stream" };
}

function encodeQuery(query: Query | undefined): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined || value === false) continue;
    for (const one of Array.isArray(value) ? value : [value]) params.append(name, String(one));
  }
  return params.size === 0 ? "" : `?${params.toString()}`;
}
