import { throwIfCancelled } from "../base/cancelled.ts";
import type { KeyRules } from "./key-rules.ts";
import type { LineBlock } from "./line-block.ts";
import type { Fed, FedBlock } from "./merger.ts";
import type { MergerPort, ShuffleCompute } from "./shuffle-compute.ts";

export interface MergeBlocksOptions {
  readonly rules: KeyRules;
  readonly slabBytes: number;
  /** Whether lines that come several times are to stand there once. */
  readonly counted: boolean;
  readonly compute: ShuffleCompute;
}

/** Merges streams of blocks. While one slab is with the reader, the next is made, and blocks are read ahead. */
export async function* mergeBlocks(
  streams: readonly AsyncGenerator<FedBlock, void, void>[],
  { compute, ...options }: MergeBlocksOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<LineBlock, void, void> {
  if (streams.length === 0) return;
  const merger = await compute.openMerger({ ...options, sources: streams.length });
  const feeder = new Feeder(streams);
  let step = begun(merger, []);
  try {
    for (;;) {
      const { slab, wants, stuckOn, done } = await step;
      throwIfCancelled(signal);
      feeder.fetch(wants);
      if (!done) {
        if (stuckOn !== undefined) await feeder.until(stuckOn);
        step = begun(merger, feeder.take());
      }
      if (slab.records > 0) yield slab;
      if (done) return;
    }
  } finally {
    await step.catch(() => undefined);
    await merger.close();
    await feeder.close();
  }
}

function begun(merger: MergerPort, fed: readonly Fed[]): ReturnType<MergerPort["step"]> {
  const step = merger.step(fed);
  // Awaited later; until then nobody would hear of a failure.
  step.catch(() => undefined);
  return step;
}

/** Fetches the next blocks of many streams. */
class Feeder {
  private readonly streams: readonly AsyncGenerator<FedBlock, void, void>[];
  /** Asked for, and not handed over yet. */
  private readonly asked = new Map<number, Promise<void>>();
  private readonly ready: Fed[] = [];

  constructor(streams: readonly AsyncGenerator<FedBlock, void, void>[]) {
    this.streams = streams;
  }

  fetch(wanted: readonly number[]): void {
    for (const source of wanted) {
      if (this.asked.has(source)) continue;
      const fetched = this.fetchOne(source);
      fetched.catch(() => undefined);
      this.asked.set(source, fetched);
    }
  }

  /** Waits for the block of one stream, or its end. */
  async until(source: number): Promise<void> {
    await this.asked.get(source);
  }

  /** What has come since the last call. */
  take(): readonly Fed[] {
    const fed = this.ready.splice(0);
    for (const { source } of fed) this.asked.delete(source);
    return fed;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.streams.map((stream) => stream.return()));
  }

  private async fetchOne(source: number): Promise<void> {
    const next = await this.streams[source]!.next();
    this.ready.push({ source, block: next.done === true ? undefined : next.value });
  }
}
