import { mkdtempSync, rmdirSync } from "node:fs";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TestMount, whyNoMount } from "../test/e2e/testing/mounted.ts";
import type { Bed, Row } from "./bench.ts";
import { receive } from "./http.ts";
import { randomBytes, writeSlices, writeSmallFiles } from "./inputs.ts";
import { msOf, rates } from "./measure.ts";
import { copy, peakMemory, runOk } from "./programs.ts";
import { hasRclone, withRcloneMount } from "./rclone-mount.ts";

const rounds = 3;
const readBytes = 4_096;
const reads = 1_000;
const createsOf = new Map([
  [1, 500],
  [4, 1_000],
  [64, 4_000],
]);
const createFiles = fileURLToPath(new URL("create-files.py", import.meta.url));

/** What is mounted: also as a folder of this machine. */
interface Data {
  readonly bytes: number;
  readonly entries: number;
  readonly folder: string;
}

/** How long each thing took, and how much memory was needed, once a round. */
type Times = Map<string, number[]>;

/** A mount beside the REST API, a plain directory and rclone. Each round has mounts of its own, which know nothing yet. */
export async function* mount(bed: Bed): AsyncGenerator<Row, void, void> {
  const why = whyNoMount();
  if (why !== undefined) throw new Error(`nothing can be mounted: ${why}`);
  const bytes = bed.sizeBytes ?? (bed.full ? 1 << 30 : 1 << 28);
  const count = bed.full ? 100_000 : 20_000;
  const folder = join(bed.folder, "data");
  await fs.mkdir(folder);
  await writeSlices(join(folder, "file"), randomBytes(bytes));
  writeSmallFiles(join(folder, "many"), count);
  await bed.client.repos.create("data");
  await bed.daemon.ok(["put-file", "data", "master", "/", "-c", "-r", "-f", folder]);
  const data = { bytes, folder, entries: count + Math.ceil(count / 100) };
  const times = await measure(bed, data);
  yield* rowsOf(times, data);
}

function* rowsOf(times: Times, { bytes, entries }: Data): Generator<Row, void, void> {
  const of = (name: string): number[] => times.get(name) ?? [];
  const each = (name: string, done: number): number[] => of(name).map((ms) => (done / ms) * 1e3);
  const row = (what: string, unit: Row["unit"], values: number[], peer: Row["peer"]): Row =>
    peer === undefined || peer.values.length === 0
      ? { what, unit, values }
      : { what, unit, values, peer };
  const rate = (name: string): number[] => rates(bytes, of(name));
  const rclone = (values: number[]): Row["peer"] => ({ what: "rclone, of a directory", values });
  const cold = rate("cold");
  yield row("read through a mount, cold", "MB/s", cold, { what: "REST", values: rate("rest") });
  yield row("the same", "MB/s", cold, rclone(rate("rclone cold")));
  yield row("read through a mount, warm", "MB/s", rate("warm"), { what: "cp", values: rate("cp") });
  const find = each("find", entries);
  const plain = { what: "plain directory", values: each("plain find", entries) };
  yield row("find, entries", "1/s", find, plain);
  yield row("the same", "1/s", find, rclone(each("rclone find", entries)));
  const random = each("random", reads);
  yield row(
    "random reads of 4 KiB, one by one",
    "1/s",
    random,
    rclone(each("rclone random", reads)),
  );
  for (const [writers, creates] of createsOf)
    yield row(
      `files of 1 KB created by ${writers} at a time`,
      "1/s",
      each(`created ${writers}`, creates),
      { what: "plain directory, synced", values: each(`plain created ${writers}`, creates) },
    );
  yield { what: "peak memory of pachctl mount", unit: "MB", values: of("memory") };
}

async function measure(bed: Bed, data: Data): Promise<Times> {
  const times: Times = new Map();
  const note = (name: string, value: number): void => {
    times.set(name, [...(times.get(name) ?? []), value]);
  };
  const take = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    note(name, await msOf(work));
  };
  const api = `http://${bed.daemon.address}/api/v1/repos/data/commits/master%2F0/files/file`;
  for (let round = 0; round < rounds; round++) {
    await withMount(bed, async (at, mounted) => {
      const shown = join(at, "master-0");
      await take("rest", () => receive(api));
      await take("cold", () => read(join(shown, "file")));
      await take("warm", () => read(join(shown, "file")));
      await take("cp", () => copy(join(data.folder, "file"), "/dev/null", false));
      await take("find", () => runOk("find", [join(shown, "many")]));
      await take("plain find", () => runOk("find", [join(data.folder, "many")]));
      const commit = await bed.client.commits.start("data", `round${round}`);
      for (const [writers, creates] of createsOf) {
        const written = join(at, commit.id.replace("/", "-"), `by-${writers}`);
        const plain = join(bed.folder, `created-${round}-${writers}`);
        for (const folder of [written, plain]) await fs.mkdir(folder);
        const args = [`${creates}`, `${writers}`];
        await take(`created ${writers}`, () => runOk("python3", [createFiles, written, ...args]));
        await take(`plain created ${writers}`, () =>
          runOk("python3", [createFiles, plain, ...args, "sync"]),
        );
      }
      note("memory", peakMemory(mounted.pid));
    });
    await withMount(bed, async (at) => {
      await take("random", () => readAnywhere(join(at, "master-0/file"), data.bytes));
    });
    if (!hasRclone()) continue;
    await withRcloneMount(data.folder, async (at) => {
      await take("rclone cold", () => read(join(at, "file")));
      await take("rclone find", () => runOk("find", [join(at, "many")]));
    });
    await withRcloneMount(data.folder, async (at) => {
      await take("rclone random", () => readAnywhere(join(at, "file"), data.bytes));
    });
  }
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
