// Sorts lines that it makes up, in a process of its own, so that its memory can be measured:
// sort-lines.ts DIRECTORY MEMORY_MIB INPUT_MIB
import { readFileSync } from "node:fs";
import * as fs from "node:fs/promises";
import {
  fileRunSource,
  freeMemory,
  keyRules,
  mergeRuns,
  openThreadShuffleCompute,
  sortIntoRuns,
} from "../index.ts";

const [directory = "", memoryMiB, inputMiB] = process.argv.slice(2);

function peakBytes(): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1_024;
}

/** Lines with keys in no order. */
async function* lines(bytes: number): AsyncGenerator<Uint8Array, void, void> {
  let state = 1;
  for (let left = bytes; left > 0;) {
    const slice = Buffer.allocUnsafeSlow(65_536);
    let at = 0;
    while (at < slice.length - 200) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      at += slice.write(`${state.toString(36)}\tvalue ${left} ${at} ${filling}\n`, at, "latin1");
    }
    yield slice.subarray(0, at);
    freeMemory(slice);
    left -= at;
  }
}

const filling = "x".repeat(90);
const compute = openThreadShuffleCompute();
const rules = keyRules();

async function sortAndRead(memoryBytesMax: number, inputBytes: number): Promise<number> {
  const options = { rules, fs, directory, compute, memoryBytesMax };
  const { runs } = await sortIntoRuns(lines(inputBytes), {
    ...options,
    partitions: 1,
    partitioner: { kind: "one" },
  });
  const sources = runs.map(({ path, bytes }) => fileRunSource(fs, path, bytes));
  for await (const slab of mergeRuns(sources, options)) freeMemory(slab);
  return runs.reduce((sum, { records }) => sum + records, 0);
}

// The programs themselves, and what the runtime makes of them, are there in the first place.
const memoryBytes = Number(memoryMiB) * 2 ** 20;
await sortAndRead(memoryBytes, 1.5 * memoryBytes);
const before = peakBytes();
const records = await sortAndRead(memoryBytes, Number(inputMiB) * 2 ** 20);
await compute.close();
console.log(JSON.stringify({ records, before, peak: peakBytes() }));
