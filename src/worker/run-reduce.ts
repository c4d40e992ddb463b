import { keyRulesOf } from "../model/map-reduce.ts";
import type { StageWork, TaskFacts, WorkRange } from "../model/stage-work.ts";
import { freeMemory, mergeRuns, type KeyRange, type RunSource } from "../shuffle/index.ts";
import { readSteadily } from "./read-steadily.ts";
import { ResultFile } from "./result-file.ts";
import { runStageCommand, type StageSetting } from "./stage-command.ts";

/** Merges the runs of a partition, in the order of their tasks, and gives them to the reducer if there is one. */
export async function runReduce(
  setting: StageSetting,
  { spec, range, output }: StageWork & { kind: "reduce" },
  out: string,
): Promise<TaskFacts> {
  const { options, merge: directory } = setting;
  const { fs, shuffle } = options;
  const file = await ResultFile.create(fs, `${out}/${output}`);
  let inputBytes = 0;
  const records = async function* (ended: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const signal = AbortSignal.any([setting.signal, ended]);
    const merging = {
      rules: keyRulesOf(spec),
      fs,
      directory,
      compute: shuffle,
      memoryBytesMax: spec.memoryBytes,
      range: keyRangeOf(range ?? {}),
    };
    for await (const slab of mergeRuns(
      await sourcesOf(setting, range ?? {}, signal),
      merging,
      signal,
    )) {
      inputBytes += slab.length;
      yield slab;
      freeMemory(slab);
    }
  };
  try {
    if (spec.reducer === undefined)
      for await (const slab of records(setting.signal)) await file.write(slab);
    else
      await runStageCommand(setting, "reducer", spec.reducer, {
        stdin: records,
        stdout: async (piece) => await file.write(piece),
      });
    return { inputBytes, outputBytes: file.bytes };
  } finally {
    await file.close();
  }
}

function keyRangeOf({ from, to }: WorkRange): KeyRange {
  return {
    ...(from === undefined ? {} : { from: Buffer.from(from, "base64") }),
    ...(to === undefined ? {} : { to: Buffer.from(to, "base64") }),
  };
}

async function sourcesOf(
  { options, task }: StageSetting,
  { isEmpty = false }: WorkRange,
  signal: AbortSignal,
): Promise<RunSource[]> {
  const sources: RunSource[] = [];
  const [input] = task.inputs;
  if (isEmpty || input === undefined) return sources;
  const { view } = input;
  for await (const { type, path, bytes } of options.host.listView(view, signal)) {
    if (type === "dir") continue;
    sources.push({
      name: path,
      bytes,
      async *read(start, end) {
        // A piece of the host is good until the next is asked for, one of a run for longer.
        for await (const piece of readSteadily(
          options,
          { view, path, range: { start, end } },
          signal,
        ))
          yield Buffer.from(piece);
      },
    });
  }
  return sources;
}
