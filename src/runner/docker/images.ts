import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import type { DockerEngine, LocalImage } from "./docker-engine.ts";
import { pullImage } from "./pull-image.ts";
import type { LoginOf } from "./registry-login.ts";

interface Pull {
  readonly done: Promise<void>;
  readonly listeners: Set<(line: string) => void>;
  readonly stop: AbortController;
}

/** The images of a Docker daemon, brought when they are asked for; each once, whoever waits for it. */
export class Images {
  readonly engine: DockerEngine;
  readonly clock: Clock;
  readonly loginOf: LoginOf;
  private readonly pulls = new Map<string, Pull>();

  constructor(engine: DockerEngine, { clock, loginOf }: { clock: Clock; loginOf: LoginOf }) {
    this.engine = engine;
    this.clock = clock;
    this.loginOf = loginOf;
  }

  /** The image of this name, if it is here. */
  async find(name: string): Promise<LocalImage | undefined> {
    return await this.engine.findImage(name);
  }

  /**
   * The image of a spec, as it is here; pulled when it is not. `say` gets a line now and then.
   *
   * @throws CodedError as `pullImage()`; `invalid_argument` for a name that is none
   */
  async resolve(
    name: string,
    { say, signal }: { say: (line: string) => void; signal: AbortSignal },
  ): Promise<LocalImage> {
    const here = await this.engine.findImage(name);
    if (here !== undefined) return here;
    await this.pulled(name, say, signal);
    const brought = await this.engine.findImage(name);
    if (brought !== undefined) return brought;
    throw new CodedError("unavailable", `Image ${name} was removed as soon as it was pulled`);
  }

  /** Waits for a pull that is under way, or begins one; it goes on as long as somebody waits. */
  private async pulled(
    name: string,
    say: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const pull = this.pulls.get(name) ?? this.begin(name, say);
    pull.listeners.add(say);
    const left = Promise.withResolvers<never>();
    const leave = (): void => left.reject(signal.reason as Error);
    signal.addEventListener("abort", leave, { once: true });
    try {
      await Promise.race([pull.done, left.promise]);
    } finally {
      signal.removeEventListener("abort", leave);
      pull.listeners.delete(say);
      if (pull.listeners.size === 0) pull.stop.abort();
    }
  }

  private begin(name: string, listener: (line: string) => void): Pull {
    const listeners = new Set([listener]);
    const stop = new AbortController();
    const say = (line: string): void => listeners.forEach((heard) => heard(line));
    const done = pullImage(this, name, { say, signal: stop.signal }).finally(() => {
      if (this.pulls.get(name)?.stop === stop) this.pulls.delete(name);
    });
    // Everybody may have left before it ends.
    done.catch(() => undefined);
    stop.signal.addEventListener("abort", () => this.pulls.delete(name));
    const pull = { done, listeners, stop };
    this.pulls.set(name, pull);
    return pull;
  }
}
