import { assert } from "../../base/assert.ts";
import type { Dispatcher } from "../dispatcher.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import type { Packet } from "./packets.ts";

export interface GearmanOptions extends ConnectionOptions {
  /** The function under which hints go: those who share a job server and are strangers have different ones. */
  readonly functionName: string;
}

/** All hints have one name: the server keeps one, however many come before a worker takes it. */
const hintName = "tasks";

/**
 * Hints as background jobs of a Gearman job server. A connection that is not there now is made again; nothing
 * here fails or waits for it.
 */
export function openGearmanDispatcher(options: GearmanOptions): Dispatcher {
  return new GearmanDispatcher(options);
}

class GearmanDispatcher implements Dispatcher {
  readonly kind = "gearman";
  private readonly options: GearmanOptions;
  private readonly connection: Connection;
  /** A hint that has been sent and not confirmed. */
  private isSending = false;
  /** A hint that could not be sent yet. */
  private isDue = false;
  /** Ends the wait under way. */
  private wake: (() => void) | undefined;

  constructor(options: GearmanOptions) {
    this.options = options;
    this.connection = new Connection(options, {
      opened: () => this.opened(),
      heard: (packet) => this.heard(packet),
    });
  }

  hint(): void {
    this.isDue = true;
    if (this.isSending) return;
    const { functionName } = this.options;
    if (!this.connection.send("submitJobBackground", functionName, hintName, "")) return;
    this.isSending = true;
    this.isDue = false;
  }

  async wait(signal: AbortSignal): Promise<void> {
    assert(this.wake === undefined, "one wait at a time");
    signal.throwIfAborted();
    const woken = Promise.withResolvers<void>();
    const stop = (): void => woken.reject(signal.reason as Error);
    this.wake = woken.resolve;
    signal.addEventListener("abort", stop, { once: true });
    this.ask();
    try {
      await woken.promise;
    } finally {
      signal.removeEventListener("abort", stop);
      this.wake = undefined;
    }
  }

  close(): void {
    this.connection.close();
  }

  /** Only who waits takes hints: one that comes to a worker without room would help nobody. */
  private ask(): void {
    if (!this.connection.send("canDo", this.options.functionName)) return;
    this.connection.send("grabJob");
  }

  private opened(): void {
    this.isSending = false;
    if (this.isDue) this.hint();
    if (this.wake !== undefined) this.ask();
  }

  private heard({ type, args }: Packet): void {
    const { log } = this.options;
    if (type === "jobCreated") {
      this.isSending = false;
      if (this.isDue) this.hint();
    } else if (type === "noJob") this.connection.send("preSleep");
    else if (type === "noop" && this.wake !== undefined) this.connection.send("grabJob");
    else if (type === "jobAssign") {
      this.connection.send("workComplete", args[0] ?? "", "");
      this.connection.send("echo", "ended");
      // Only when the job has ended is the next hint a job of its own, and none that is lost.
    } else if (type === "echoed") this.taken();
    else if (type === "error") {
      this.isSending = false;
      log.warn({ error: args.join(": ") }, "The job server refused a hint");
    }
  }

  private taken(): void {
    // Whoever waited has gone meanwhile: the hint is for somebody else.
    if (this.wake === undefined) this.hint();
    else this.wake();
  }
}
