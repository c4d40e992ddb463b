import { keyRulesOf, type MapReduce } from "../model/map-reduce.ts";
import type { StageWork, TaskFacts } from "../model/stage-work.ts";
import { sortIntoRuns, type Combine, type Partitioner } from "../shuffle/index.ts";
import { Handoff } from "./handoff.ts";
import { readSplit } from "./read-split.ts";
import { ResultFile } from "./result-file.ts";
import { runStageCommand, type StageSetting } from "./stage-command.ts";

/** Runs a mapper over its split. What it prints becomes a sorted run for each partition in `out`, or the output itself. */
export async function runMap(
  setting: StageSetting,
  work: StageWork & { kind: "map" },
  out: string,
): Promise<TaskFacts> {
  if (work.output === undefined) return await mapIntoRuns(setting, work, out);
  const file = await ResultFile.create(setting.options.fs, `${out}/${work.output}`);
  try {
    const inputBytes = await runMapper(setting, work, async (piece) => await file.write(piece));
    return { inputBytes, outputBytes: file.bytes };
  } finally {
    await file.close();
  }
}

/** @returns the bytes it was given */
async function runMapper(
  setting: StageSetting,
  { spec, split }: StageWork & { kind: "map" },
  stdout: (piece: Uint8Array) => Promise<void>,
): Promise<number> {
  let bytes = 0;
  await runStageCommand(setting, "mapper", spec.mapper, {
    async *stdin(ended) {
      const signal = AbortSignal.any([setting.signal, ended]);
      if (split.item !== undefined) yield Buffer.from(`${split.item}\n`);
      for await (const piece of readSplit(setting.options, setting.task, split.parts, signal)) {
        bytes += piece.length;
        yield piece;
      }
    },
    stdout,
  });
  return bytes;
}

async function mapIntoRuns(
  setting: StageSetting,
  work: StageWork & { kind: "map" },
  out: string,
): Promise<TaskFacts> {
  const { options, signal } = setting;
  const { spec } = work;
  const printed = new Handoff();
  const partitions = spec.partitioner === "range" ? 1 : spec.partitions;
  const sorting = sortIntoRuns(
    printed,
    {
      rules: keyRulesOf(spec),
      partitions,
      partitioner: partitionerOf(spec),
      fs: options.fs,
      directory: out,
      compute: options.shuffle,
      combine: combinerOf(setting, spec),
      memoryBytesMax: spec.memoryBytes,
    },
    signal,
  ).catch((error: unknown) => {
    printed.refuse(error);
    throw error;
  });
  // Awaited below; until then nobody would hear of a failure.
  sorting.catch(() => undefined);
  let inputBytes = 0;
  try {
    inputBytes = await runMapper(setting, work, async (piece) => await printed.give(piece));
    printed.end();
  } catch (error) {
    printed.fail(error);
    await sorting.catch(() => undefined);
    throw error;
  }
  const { runs } = await sorting;
  return {
    inputBytes,
    outputBytes: runs.reduce((sum, run) => sum + run.bytes, 0),
    outputRecords: runs.reduce((sum, run) => sum + run.records, 0),
  };
}

function partitionerOf({ partitioner, partitionFields, keyFields }: MapReduce): Partitioner {
  // Where ranges begin is known when all mappers have ended: reducers read theirs out of one run.
  if (partitioner === "range") return { kind: "one" };
  return partitionFields === keyFields
    ? { kind: partitioner }
    : { kind: partitioner, fields: partitionFields };
}

/** Undefined without a combiner, and where a command has to wait for the one before it: results are the same. */
function combinerOf(setting: StageSetting, { combiner }: MapReduce): Combine | undefined {
  if (combiner === undefined || !setting.options.readOnlyInputs) return undefined;
  return async function* (sorted) {
    const printed = new Handoff();
    const running = runStageCommand(setting, "combiner", combiner, {
      stdin: () => sorted,
      stdout: async (piece) => await printed.give(piece),
    }).then(
      () => {
        printed.end();
      },
      (error: unknown) => {
        printed.fail(error);
      },
    );
    try {
      yield* printed;
    } finally {
      printed.refuse(new Error("nobody reads what the combiner prints"));
      await running;
    }
  };
}
