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
type Peers = Readonly<Record<string, number[]>>;

const rclone = "rclone, of a directory";

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
  const rate = (name: string): number[] => rates(bytes, of(name));
  /** A figure beside others, those that there are. */
  function* beside(what: string, values: number[], peers: Peers, unit: Row["unit"] = "1/s") {
    let name = what;
    for (const [peer, itsValues] of Object.entries(peers)) {
      if (itsValues.length === 0) continue;
      const row: Row = { what: name, unit, values, peer: { what: peer, values: itsValues } };
      yield row;
      name = "the same";
    }
  }
  const cold = { REST: rate("rest"), [rclone]: rate("rclone cold") };
  yield* beside("read through a mount, cold", rate("cold"), cold, "MB/s");
  const warm = { cp: rate("cp"), [rclone]: rate("rclone warm") };
  yield* beside("read through a mount, warm", rate("warm"), warm, "MB/s");
  const find = each("plain find", entries);
  yield* beside("find, entries", each("find", entries), {
    "plain directory": find,
    [rclone]: each("rclone find", entries),
  });
  yield* beside("random reads of 4 KiB, one by one", each("random", reads), {
    "plain file": each("plain random", reads),
    [rclone]: each("rclone random", reads),
  });
  for (const [writers, creates] of createsOf)
    yield* beside(
      `files of 1 KB created by ${writers} at a time`,
      each(`created ${writers}`, creates),
      {
        "plain directory, synced": each(`plain created ${writers}`, creates),
        [`${rclone}, not synced`]: each(`rclone created ${writers}`, creates),
      },
    );
  yield* beside(
    "peak memory of pachctl mount",
    of("memory"),
    { [rclone]: of("rclone memory") },
    "MB",
  );
}

/** Takes the times of one round. */
class Round {
  private readonly times: Times;
  private readonly bed: Bed;
  private readonly data: Data;
  private readonly round: number;

  constructor(times: Times, bed: Bed, data: Data, round: number) {
    this.times = times;
    this.bed = bed;
    this.data = data;
    this.round = round;
  }

  async mammoth(): Promise<void> {
    const { bed, data } = this;
    const api = `http://${bed.daemon.address}/api/v1/repos/data/commits/master%2F0/files/file`;
    await withMount(bed, async (at, mounted) => {
      const shown = join(at, "master-0");
      await this.take("rest", () => receive(api));
      await this.take("cold", () => read(join(shown, "file")));
      await this.take("warm", () => read(join(shown, "file")));
      await this.take("find", () => runOk("find", [join(shown, "many")]));
      const commit = await bed.client.commits.start("data", `round${this.round}`);
      await this.creates("created", join(at, commit.id.replace("/", "-")));
      this.note("memory", peakMemory(mounted.pid));
    });
    await withMount(bed, async (at) => {
      await this.take("random", () => readAnywhere(join(at, "master-0/file"), data.bytes));
    });
  }

  async plain(): Promise<void> {
    const { folder, bytes } = this.data;
    await this.take("cp", () => copy(join(folder, "file"), "/dev/null", false));
    await this.take("plain find", () => runOk("find", [join(folder, "many")]));
    await this.take("plain random", () => readAnywhere(join(folder, "file"), bytes));
    await this.creates("plain created", await this.newFolder("plain"), "sync");
  }

  async rclone(): Promise<void> {
    const { folder, bytes } = this.data;
    await withRcloneMount(folder, async (at, pid) => {
      await this.take("rclone cold", () => read(join(at, "file")));
      await this.take("rclone warm", () => read(join(at, "file")));
      await this.take("rclone find", () => runOk("find", [join(at, "many")]));
      this.note("rclone memory", peakMemory(pid));
    });
    await withRcloneMount(folder, async (at) => {
      await this.take("rclone random", () => readAnywhere(join(at, "file"), bytes));
    });
    await withRcloneMount(await this.newFolder("rclone"), async (at) => {
      await this.creates("rclone created", at);
    });
  }

  private note(name: string, value: number): void {
    this.times.set(name, [...(this.times.get(name) ?? []), value]);
  }

  private async take(name: string, work: () => Promise<unknown>): Promise<void> {
    this.note(name, await msOf(work));
  }

  private async creates(name: string, folder: string, ...how: string[]): Promise<void> {
    for (const [writers, creates] of createsOf) {
      const written = join(folder, `by-${writers}`);
      await fs.mkdir(written);
      const args = [createFiles, written, `${creates}`, `${writers}`, ...how];
      await this.take(`${name} ${writers}`, () => runOk("python3", args));
    }
  }

  private async newFolder(what: string): Promise<string> {
    const folder = join(this.bed.folder, `${what}-${this.round}`);
    await fs.mkdir(folder);
    return folder;
  }
}

async function measure(bed: Bed, data: Data): Promise<Times> {
  const times: Times = new Map();
  for (let number = 0; number < rounds; number++) {
    const round = new Round(times, bed, data, number);
    await round.mammoth();
    await round.plain();
    if (hasRclone()) await round.rclone();
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
