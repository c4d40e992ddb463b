import type { Clock } from "../../base/clock.ts";
import { codedErrorFrom } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { RunOptions, RunOutcome, RunSpec } from "../runner.ts";
import { WarmPool } from "../warm/warm-pool.ts";
import type { WarmSandbox } from "./warm-sandbox.ts";

/** A sandbox that nobody uses for so long goes. */
const idleMsMax = 3_000;

/** Where one could not be started it is tried again after so long: the machine may have been short of something. */
const unfitMs = 60_000;

/** Sandboxes that serve the runs of one group, one after the other, and one that has served nobody yet. */
export class WarmSandboxes {
  private readonly start: (spec: RunSpec) => Promise<WarmSandbox>;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly pool: WarmPool<WarmSandbox>;
  private spare:
    | { readonly kind: string; readonly sandbox: Promise<WarmSandbox | undefined> }
    | undefined;
  private unfitUntilMs = Number.NEGATIVE_INFINITY;
  private closed = false;

  constructor(options: { clock: Clock; log: Log; start: (spec: RunSpec) => Promise<WarmSandbox> }) {
    this.clock = options.clock;
    this.log = options.log;
    this.start = options.start;
    this.pool = new WarmPool({ ...options, idleMsMax });
  }

  /** Runs a command in a sandbox of its group; undefined when there can be none. */
  async run(spec: RunSpec, options: RunOptions): Promise<RunOutcome | undefined> {
    // A secret is for its own task: a sandbox that others use afterwards never had it.
    if (spec.group === undefined || (spec.secrets ?? []).length > 0) return undefined;
    if (this.clock.monotonicMs() < this.unfitUntilMs) return undefined;
    const kind = kindOf(spec);
    const key = `${spec.group} ${kind}`;
    try {
      return await this.pool.run(key, async () => await this.take(kind, spec), spec, options);
    } finally {
      // Not before: it would take processor time from the command.
      this.spare ??= { kind, sandbox: this.open(spec) };
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.pool.close();
    await (await this.spare?.sandbox)?.remove();
  }

  /** The spare one when it fits. */
  private async take(kind: string, spec: RunSpec): Promise<WarmSandbox | undefined> {
    const { spare } = this;
    this.spare = undefined;
    const ready = await spare?.sandbox;
    if (ready !== undefined && spare?.kind === kind && (await ready.isCurrent())) return ready;
    await ready?.remove();
    return await this.open(spec);
  }

  private async open(spec: RunSpec): Promise<WarmSandbox | undefined> {
    if (this.closed) return undefined;
    try {
      return await this.start(spec);
    } catch (error) {
      this.unfitUntilMs = this.clock.monotonicMs() + unfitMs;
      this.log.info(
        { error: codedErrorFrom(error).message },
        "Each task gets a sandbox of its own for a minute: none can be kept here",
      );
      return undefined;
    }
  }
}

/** Runs of the same kind may have the same sandbox made for them. */
function kindOf({ user, limits, network, hidden }: RunSpec): string {
  return JSON.stringify([user, limits, network, hidden]);
}
