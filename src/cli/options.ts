import { InvalidArgumentError, type Command } from "commander";
import type { ViewOptions } from "../client/index.ts";
import type { Shard } from "../model/shard.ts";

/** For options that may be given several times. */
export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

interface ShardFlags {
  readonly fileShard: number;
  readonly fileModulus: number;
  readonly blockShard: number;
  readonly blockModulus: number;
}

interface ViewFlags extends ShardFlags {
  readonly from?: string;
  readonly fullFile?: boolean;
}

/** Adds the flags that choose a shard. */
export function shardOptions(command: Command): Command {
  return command
    .option("-s, --file-shard <n>", "file shard to read", wholeNumber, 0)
    .option("-m, --file-modulus <n>", "number of file shards", wholeNumber, 1)
    .option("-b, --block-shard <n>", "block shard to read", wholeNumber, 0)
    .option("-n, --block-modulus <n>", "number of block shards", wholeNumber, 1);
}

/** What the flags of shardOptions() ask for. */
export function shardOf(flags: ShardFlags): Shard {
  return {
    fileNumber: flags.fileShard,
    fileModulus: flags.fileModulus,
    blockNumber: flags.blockShard,
    blockModulus: flags.blockModulus,
  };
}

/** Adds the flags that choose which part of a commit is looked at. */
export function viewOptions(command: Command): Command {
  return shardOptions(command)
    .option("-f, --from <commit>", "only what is newer than this commit of the repo")
    .option("--full-file", "with --from: show files with anything new whole");
}

/** What the flags of viewOptions() ask for. */
export function viewOf(flags: ViewFlags): ViewOptions {
  return {
    shard: shardOf(flags),
    ...(flags.from === undefined ? {} : { from: flags.from, fullFile: flags.fullFile === true }),
  };
}

/** Reads the value of an option that counts. */
export function wholeNumber(value: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw new InvalidArgumentError("Give a whole number.");
}
