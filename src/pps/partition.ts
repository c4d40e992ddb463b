import type { Partition } from "../model/method.ts";
import { shardPartsOf, type PfsDeps, type ViewSpec } from "../pfs/index.ts";
import type { Shard } from "../model/shard.ts";

/** An input about to be divided. */
export interface DividedInput {
  readonly view: ViewSpec;
  readonly partition: Partition;
  /** Size of its commit: the largest input per shard is divided next (contract 3.4). */
  readonly sizeBytes: number;
  /** Never divided: it is empty and run all the same, or beside an input that is divided by entry. */
  readonly isFixed: boolean;
}

/** What is to be divided, and among how many tasks. */
export interface Division {
  readonly inputs: readonly DividedInput[];
  readonly workers: number;
  readonly signal: AbortSignal;
}

/** What shards never split, with the hash that decides where each goes. */
type Parts = Awaited<ReturnType<typeof shardPartsOf>>;

/**
 * How many shards each input is cut into for `workers` tasks (contract 3.4): powers of two whose
 * product reaches the number, as long as no shard would be empty.
 */
export async function moduliFor(
  pfs: PfsDeps,
  { inputs, workers, signal }: Division,
): Promise<number[]> {
  const moduli = inputs.map(() => 1);
  const fixed = inputs.map((input) => input.isFixed || input.partition === "REPO");
  const parts = new Map<number, Parts>();
  while (moduli.reduce((product, modulus) => product * modulus, 1) < workers) {
    const next = largestShard(inputs, moduli, fixed);
    if (next === undefined) break;
    if (!parts.has(next)) parts.set(next, await partsOf(pfs, inputs[next]!, signal));
    if (allShardsFilled(parts.get(next)!, moduli[next]! * 2)) moduli[next]! *= 2;
    else fixed[next] = true;
  }
  return moduli;
}

async function partsOf(pfs: PfsDeps, input: DividedInput, signal: AbortSignal): Promise<Parts> {
  return await shardPartsOf(pfs, input.view, input.partition === "FILE" ? "FILE" : "BLOCK", signal);
}

function largestShard(
  inputs: readonly DividedInput[],
  moduli: readonly number[],
  fixed: readonly boolean[],
): number | undefined {
  let best: number | undefined;
  for (const [i, input] of inputs.entries()) {
    if (fixed[i]) continue;
    if (
      best === undefined ||
      input.sizeBytes / moduli[i]! > inputs[best]!.sizeBytes / moduli[best]!
    )
      best = i;
  }
  return best;
}

function allShardsFilled(parts: Parts, modulus: number): boolean {
  const filled = new Set<number>();
  for (const part of parts) if (part.bytes > 0) filled.add(part.hash % modulus);
  return filled.size === modulus;
}

/** The share of each input for one task: its number's digits in mixed radix, the last input fastest. */
export function digitsOfTask(task: number, moduli: readonly number[]): number[] {
  const digits: number[] = [];
  let rest = task;
  for (const modulus of moduli.toReversed()) {
    digits.unshift(rest % modulus);
    rest = Math.floor(rest / modulus);
  }
  return digits;
}

/** The shard of each input for one task. */
export function shardsOfTask(
  task: number,
  moduli: readonly number[],
  partitions: readonly Partition[],
): Shard[] {
  return digitsOfTask(task, moduli).map((number, i) => {
    const modulus = moduli[i]!;
    return partitions[i] === "FILE"
      ? { fileNumber: number, fileModulus: modulus, blockNumber: 0, blockModulus: 1 }
      : { fileNumber: 0, fileModulus: 1, blockNumber: number, blockModulus: modulus };
  });
}
