import type { Clock } from "../../base/clock.ts";
import { CodedError, isCoded } from "../../base/errors.ts";
import { MiB } from "../../base/size.ts";
import type { DockerEngine } from "./docker-engine.ts";
import { registryOf, type LoginOf } from "./registry-login.ts";

const triesMax = 3;
const againAfterMs = 500;
/** A registry that says nothing for so long has been lost. */
const silenceMsMax = 60_000;
const sayEveryMs = 5_000;

interface PullOptions {
  readonly engine: DockerEngine;
  readonly clock: Clock;
  readonly loginOf: LoginOf;
}

/**
 * Brings an image from its registry. `say` gets a line now and then. Tries up to three times where
 * the reason may pass: a registry that does not answer or answers with 5xx or 429.
 *
 * @throws CodedError with the registry's words: `not_found`, `permission_denied`, or `unavailable` for what may pass
 */
export async function pullImage(
  options: PullOptions,
  name: string,
  { say, signal }: { say: (line: string) => void; signal: AbortSignal },
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    say(attempt === 1 ? `Pulling image ${name}` : `Pulling image ${name}, attempt ${attempt}`);
    try {
      return await pullOnce(options, name, { say, signal });
    } catch (error) {
      signal.throwIfAborted();
      const failure = failureOf(error, name);
      if (failure.code !== "unavailable" || attempt === triesMax) throw failure;
      say(failure.message);
      await options.clock.sleep(againAfterMs * 2 ** (attempt - 1), signal);
    }
  }
}

async function pullOnce(
  { engine, clock, loginOf }: PullOptions,
  name: string,
  { say, signal }: { say: (line: string) => void; signal: AbortSignal },
): Promise<void> {
  const over = new AbortController();
  const silent = new AbortController();
  const progress = new Progress();
  let heardMs = clock.monotonicMs();
  let saidMs = heardMs;
  const watch = async (): Promise<void> => {
    for (;;) {
      const leftMs = heardMs + silenceMsMax - clock.monotonicMs();
      if (leftMs <= 0) return silent.abort();
      await clock.sleep(leftMs, over.signal);
    }
  };
  // Ends by the abort of its sleep.
  watch().catch(() => undefined);
  try {
    const either = AbortSignal.any([signal, silent.signal]);
    const login = await loginOf(registryOf(name));
    for await (const event of eventsOf(await engine.pull(name, { login, signal: either }))) {
      heardMs = clock.monotonicMs();
      if (event.error !== undefined)
        throw new CodedError("unavailable", `Cannot pull image ${name}: ${event.error}`);
      progress.note(event);
      if (heardMs - saidMs < sayEveryMs) continue;
      saidMs = heardMs;
      say(progress.line());
    }
  } catch (error) {
    if (!silent.signal.aborted) throw error;
    const seconds = silenceMsMax / 1_000;
    throw new CodedError(
      "unavailable",
      `Cannot pull image ${name}: nothing came for ${seconds} seconds`,
      { cause: error },
    );
  } finally {
    over.abort();
  }
}

export interface PullEvent {
  readonly error?: string;
  readonly status?: string;
  /** The layer it is about. */
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** What Docker says while it pulls or pushes: one JSON object a line. */
export async function* eventsOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<PullEvent> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const piece of stream) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") yield JSON.parse(line) as PullEvent;
  }
  if (rest.trim() !== "") yield JSON.parse(rest) as PullEvent;
}

class Progress {
  private readonly layers = new Map<string, { readonly current: number; readonly total: number }>();

  note({ id, status, progressDetail }: PullEvent): void {
    if (id === undefined || status !== "Downloading") return;
    const { current = 0, total = 0 } = progressDetail ?? {};
    this.layers.set(id, { current, total });
  }

  line(): string {
    let [current, total] = [0, 0];
    for (const layer of this.layers.values()) {
      current += layer.current;
      total += layer.total;
    }
    return `Pulling: ${(current / MiB).toFixed(1)} of ${(total / MiB).toFixed(1)} MiB so far`;
  }
}

/** How registries, and Docker for them, say that somebody may not. */
export const deniedWords = /unauthorized|denied|authentication required|no basic auth|forbidden/i;

/** Docker says 500 to whatever a registry refuses: only the words tell what may pass. */
function failureOf(error: unknown, name: string): CodedError {
  if (!isCoded(error))
    return new CodedError("unavailable", `Cannot pull image ${name}: ${(error as Error).message}`, {
      cause: error,
    });
  if (error.code !== "unavailable") return error;
  const { message } = error;
  const code = /manifest unknown|not found|name unknown|does not exist/i.test(message)
    ? "not_found"
    : deniedWords.test(message)
      ? "permission_denied"
      : /invalid|malformed|x509|HTTP response to HTTPS client|no matching manifest/i.test(message)
        ? "failed_precondition"
        : "unavailable";
  if (code === "unavailable") return error;
  const remedy =
    code === "permission_denied"
      ? `. If it only needs a login: docker login ${registryOf(name)}, as the user that runs pachd`
      : "";
  return new CodedError(code, `${message}${remedy}`, { cause: error });
}
