import { mkdtempSync, rmdirSync } from "node:fs";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestMount, whyNoMount } from "../test/e2e/testing/mounted.ts";
import type { Bed, Row } from "./bench.ts";
import { receive } from "./http.ts";
import { randomBytes, writeSlices, writeSmallFiles } from "./inputs.ts";
import { median, msOf, rates } from "./measure.ts";
import { copy, peakMemory, runOk } from "./programs.ts";

const rounds = 3;
const readBytes = 4_096;
/** Node has so many threads for files. */
const writers = 4;

/** A mount beside the REST API and a plain directory. Each round has a mount of its own, so that it knows nothing yet. */
export async function* mount(bed: Bed): AsyncGenerator<Row, void, void> {
  const why = whyNoMount();
  if (why !== undefined) throw new Error(`nothing can be mounted: ${why}`);
  const bytes = bed.sizeBytes ?? (bed.full ? 1 << 30 : 1 << 28);
  const count = bed.full ? 100_000 : 20_000;
  const file = join(bed.folder, "file");
  const many = join(bed.folder, "many");
  await writeSlices(file, randomBytes(bytes));
  writeSmallFiles(many, count);
  await bed.client.repos.create("data");
  await bed.daemon.ok(["put-file", "data", "master", "file", "-c", "-f", file]);
  await bed.daemon.ok(["put-file", "data", "master", "many", "-c", "-r", "-f", many]);
  const times = await measure(bed, { bytes, count, file, many });
  const rate = (values: readonly number[]): number[] => rates(bytes, values);
  const each = (values: readonly number[], done: number): number[] =>
    values.map((ms) => (done / ms) * 1e3);
  const entries = count + Math.ceil(count / 100);
  const { rest, plain, cold, warm } = times;
  yield {
    what: "read through a mount, cold",
    unit: "MB/s",
    values: rate(cold),
    peer: { what: "REST", values: rate(rest) },
  };
  yield {
    what: "read through a mount, warm",
    unit: "MB/s",
    values: rate(warm),
    peer: { what: "cp", values: rate(plain) },
  };
  const { find, plainFind, random, created, plainCreated, memory } = times;
  yield {
    what: "find, entries",
    unit: "1/s",
    values: each(find, entries),
    peer: { what: "plain directory", values: each(plainFind, entries) },
  };
  yield { what: "random reads of 4 KiB, one by one", unit: "1/s", values: each(random, reads) };
  yield {
    what: `files of 1 KB created by ${writers} at a time`,
    unit: "1/s",
    values: each(created, creates),
    peer: { what: "plain directory, synced", values: each(plainCreated, creates) },
  };
  yield { what: "peak memory of pachctl mount", unit: "MB", values: memory };
}

const reads = 1_000;
const creates = 1_000;

type Times = Record<
  | "rest"
  | "plain"
  | "cold"
  | "warm"
  | "find"
  | "plainFind"
  | "random"
  | "created"
  | "plainCreated"
  | "memory",
  number[]
>;

async function measure(
  bed: Bed,
  data: { bytes: number; count: number; file: string; many: string },
): Promise<Times> {
  const times: Times = {
    rest: [],
    plain: [],
    cold: [],
    warm: [],
    find: [],
    plainFind: [],
    random: [],
    created: [],
    plainCreated: [],
    memory: [],
  };
  const take = async (name: keyof Times, work: () => Promise<unknown>): Promise<void> => {
    times[name].push(await msOf(work));
  };
  const api = `http://${bed.daemon.address}/api/v1/repos/data/commits/master%2F1/files/file`;
  for (let round = 0; round < rounds; round++) {
    await withMount(bed, async (at, mounted) => {
      const file = join(at, "master-1/file");
      await take("rest", () => receive(api));
      await take("cold", () => read(file));
      await take("warm", () => read(file));
      await take("plain", () => copy(data.file, "/dev/null", false));
      await take("find", () => runOk("find", [join(at, "master-1/many")]));
      await take("plainFind", () => runOk("find", [data.many]));
      const commit = await bed.client.commits.start("data", `round${round}`);
      const written = join(at, commit.id.replace("/", "-"));
      await take("created", () => createFiles(written, false));
      const plain = join(bed.folder, `created-${round}`);
      await fs.mkdir(plain);
      await take("plainCreated", () => createFiles(plain, true));
      times.memory.push(peakMemory(mounted.pid));
    });
    await withMount(bed, async (at) => {
      await take("random", () => readAnywhere(join(at, "master-1/file"), data.bytes));
    });
  }
  if (median(times.cold) === 0) throw new Error("nothing was read");
  return times;
}

async function withMount(
  bed: Bed,
  work: (at: string, mounted: TestMount) => Promise<void>,
): Promise<void> {
  const point = mkdtempSync(join(tmpdir(), "mammoth-bench-mount-"));
  const mounted = new TestMount(point, bed.daemon.address, ["data"]);
  try {
    await mounted.start();
    await work(point, mounted);
  } finally {
    await mounted.clear();
    rmdirSync(point);
  }
}

async function read(file: string): Promise<void> {
  await runOk("dd", [`if=${file}`, "of=/dev/null", "bs=1M"]);
}

async function readAnywhere(path: string, bytes: number): Promise<void> {
  const file = await fs.open(path);
  const buffer = Buffer.alloc(readBytes);
  // A step that is prime to the number of places visits them in no order that could be foreseen.
  const places = Math.floor(bytes / readBytes);
  for (let index = 0; index < reads; index++)
    await file.read(buffer, 0, readBytes, ((index * 7_919_777) % places) * readBytes);
  await file.close();
}

async function createFiles(folder: string, sync: boolean): Promise<void> {
  const content = Buffer.alloc(1_000, "line\n");
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      for (let index = writer; index < creates; index += writers) {
        const file = await fs.open(join(folder, `file-${index}`), "w");
        await file.write(content);
        // What close acknowledges of a mount is durable.
        if (sync) await file.sync();
        await file.close();
      }
    }),
  );
}
