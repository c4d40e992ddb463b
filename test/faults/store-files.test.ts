import { strict as assert } from "node:assert";
import * as fs from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { CodedError } from "../../src/base/errors.ts";
import { randomBelow, seededRandom, systemRandom } from "../../src/base/random.ts";
import { KiB } from "../../src/base/size.ts";
import { openInlineSqliteMetadata, type MetadataStore } from "../../src/metadata/index.ts";
import { localPrincipal } from "../../src/model/principal.ts";
import { openLocalObjectStore } from "../../src/objectstore/index.ts";
import {
  type FileOperation,
  observedFileSystem,
} from "../../src/objectstore/testing/observed-file-system.ts";
import { ShiftedClock } from "../../src/pfs/testing/shifted-clock.ts";
import { collectGarbage, deleteRepo, verifyStore } from "../../src/pfs/index.ts";
import { never, TestPfs } from "../../src/pfs/testing/open-test-pfs.ts";
import { textOf } from "./testing/scripted-requests.ts";

const seed = Number(process.env["MAMMOTH_CRASH_SEED"] ?? systemRandom.bytes(4).readUInt32BE());
/** One of about so many operations fails in its turn; `MAMMOTH_FAULT_PLACES=all`: each. */
const every = process.env["MAMMOTH_FAULT_PLACES"] === "all" ? 1 : 4;

const kinds = ["EIO", "ENOSPC", "short", "crash"] as const;
type Kind = (typeof kinds)[number];

const first = textOf("first", 300 * KiB);
const second = textOf("second", 3 * KiB);

/** What a user and the daemon do, one after the other. */
const steps: readonly ((pfs: TestPfs) => Promise<unknown>)[] = [
  async (pfs) => await pfs.commit("data", { large: first }),
  async (pfs) => await pfs.commit("data", { small: second }),
  async ({ deps }) => await deleteRepo(deps, localPrincipal, { name: "victim", force: false }),
  async ({ deps }) => await deps.storage.drainInline(never, { force: true }),
  collect,
  async (pfs) => await pfs.commit("data", { large: second }),
  collect,
];

/** What the newest commit holds after so many steps. */
const files: readonly Record<string, string>[] = [
  {},
  { large: first },
  ...[2, 3, 4, 5].map(() => ({ large: first, small: second })),
  ...[6, 7].map(() => ({ large: first + second, small: second })),
];

for (const kind of kinds) {
  test(`what was acknowledged stays when the store's files fail with ${kind} (MAMMOTH_CRASH_SEED=${seed})`, async (t) => {
    const random = seededRandom(seed);
    const folder = await fs.mkdtemp(
      join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "mammoth-files-"),
    );
    t.after(async () => await fs.rm(folder, { recursive: true }));
    let at = randomBelow(random, every);
    let operations = 0;
    for (; ; at += 1 + randomBelow(random, 2 * every - 1)) {
      const root = join(folder, String(at));
      const faults = new Faults(at, kind);
      await survives(root, faults).catch((error: unknown) => {
        throw new Error(`${kind} at operation ${at}: ${faults.hit}`, { cause: error });
      });
      await fs.rm(root, { recursive: true });
      if (faults.hit === "") break;
      operations++;
    }
    t.diagnostic(`${operations} of about ${at} operations`);
  });
}

async function survives(root: string, faults: Faults): Promise<void> {
  const clock = new ShiftedClock();
  const metadata = openInlineSqliteMetadata({ clock });
  const done = await work({ metadata, clock }, root, faults);
  // Whoever held leases is dead.
  clock.advance(120_000);
  const objects = await openLocalObjectStore({ root, fs, random: seededRandom(3) });
  const pfs = new TestPfs(4, { metadata, objects, clock, session: "next" });
  const id = await headOf(pfs);
  const found = id === undefined ? {} : await pfs.files({ repo: "data", id });
  const expected = [files[done]!, files[done + 1] ?? files[done]!];
  assert.ok(
    expected.some((one) => isDeepStrictEqual(one, found)),
    `after ${done} steps: ${Object.keys(found).join()}`,
  );
  await assertWhole(pfs);
  await collect(pfs);
  await assertWhole(pfs);
  if (id !== undefined) assert.deepEqual(await pfs.files({ repo: "data", id }), found);
  await pfs.close();
  await objects.close();
}

/** Takes the steps until one fails; how many did not. */
async function work(
  { metadata, clock }: { metadata: MetadataStore; clock: ShiftedClock },
  root: string,
  faults: Faults,
): Promise<number> {
  const objects = await openLocalObjectStore({
    root,
    fs: observedFileSystem(fs, faults.observe),
    random: seededRandom(1),
  });
  const pfs = new TestPfs(2, { metadata, objects, clock, session: "before" });
  await pfs.repo("data");
  await pfs.repo("victim");
  await pfs.commit("victim", { old: textOf("old", 300 * KiB) });
  faults.isArmed = true;
  for (const [index, step] of steps.entries()) {
    try {
      await step(pfs);
    } catch (error) {
      assert.ok(error instanceof CodedError, String(error));
      assert.ok(["unavailable", "resource_exhausted"].includes(error.code), error.message);
      return index;
    }
  }
  return steps.length;
}

async function collect({ deps }: TestPfs): Promise<void> {
  await collectGarbage(deps, localPrincipal, { isDryRun: false, signal: never });
}

async function assertWhole({ deps }: TestPfs): Promise<void> {
  const options = { readData: true, repair: false, signal: never };
  for await (const finding of verifyStore(deps, localPrincipal, options))
    assert.fail(`fsck: ${JSON.stringify(finding)}`);
}

/** The newest commit, finished. */
async function headOf(pfs: TestPfs): Promise<string | undefined> {
  const commits = await pfs.deps.metadata.call("listCommits", {
    include: [{ repo: "data" }],
    exclude: [],
    provenance: [],
    type: "NONE",
    status: "ALL",
  });
  for (const { id, state } of commits)
    if (state !== "finished") await pfs.finish({ repo: "data", id });
  return commits.at(-1)?.id;
}

/** Fails the operation number `at`; "crash" also all that follow. A failed write has written half. */
class Faults {
  isArmed = false;
  /** What was made to fail. */
  hit = "";
  private seen = 0;
  private readonly at: number;
  private readonly kind: Kind;

  constructor(at: number, kind: Kind) {
    this.at = at;
    this.kind = kind;
  }

  readonly observe = async (
    operation: FileOperation,
    run: (buffers?: readonly Uint8Array[]) => Promise<unknown>,
  ): Promise<unknown> => {
    if (!this.isArmed) return await run();
    const index = this.seen++;
    const isHit = this.kind === "crash" ? index >= this.at : index === this.at;
    if (!isHit) return await run();
    if (this.hit === "") this.hit = `${operation.name} ${operation.path}`;
    const half = operation.buffers.slice(0, 1).map((one) => one.subarray(0, one.length >> 1));
    const isWrite = operation.name === "writev";
    if (this.kind === "short") return await (isWrite ? run(half) : run());
    if (isWrite && (this.kind !== "crash" || index === this.at)) await run(half);
    // A file must not leak in this process, whatever the model says.
    if (operation.name === "close") await run();
    const code = this.kind === "crash" ? "EIO" : this.kind;
    throw Object.assign(new Error(`${code}: injected`), { code });
  };
}
