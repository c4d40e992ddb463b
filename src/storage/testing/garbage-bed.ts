import assert from "node:assert/strict";
import type { Clock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { seededRandom } from "../../base/random.ts";
import type { MetadataStore } from "../../metadata/index.ts";
import type { Sealed } from "../../metadata/sealed.ts";
import type { Procedure } from "../../metadata/metadata-store.ts";
import { migrations } from "../../metadata/migrations/index.ts";
import { procedures, relaxed } from "../../metadata/procedures/index.ts";
import { openInlineSqliteMetadata } from "../../metadata/sqlite/open-inline.ts";
import {
  faulting,
  openMemObjectStore,
  type Around,
  type ObjectStore,
} from "../../objectstore/index.ts";
import { openInlineCompute } from "../compute.ts";
import { openStorage, type Storage } from "../open-storage.ts";
import type { Content, Entry } from "../tree/entry.ts";
import { encodeRun } from "../tree/run-format.ts";
import { countRows, dropRun, keepRun, keepTrees, type RowCounts } from "./kept-runs.ts";
import { readContent } from "./storage-harness.ts";

const never = new AbortController().signal;
const testProcedures = { keepRun, keepTrees, dropRun, countRows };
/** Longer than any lease. */
const longMs = 120_000;

type TestCalls = {
  readonly [N in keyof typeof testProcedures]: (typeof testProcedures)[N] extends Procedure<
    infer I,
    infer O
  >
    ? (input: I) => Promise<O>
    : never;
};

type KeptRun = Parameters<typeof keepRun>[1];

/** Who renews a lease beside other work sleeps as long at least. */
const renewMsMin = 5_000;

/** Who polls has slept; who renews a lease is left to wait, until it is told to stop. */
export class InstantClock implements Clock {
  private nowMs = 0;
  private micros = 0;
  private readonly sleepMsMin: number;

  /** @param sleepMsMin every sleep takes at least this long: who polls gives up soon */
  constructor(sleepMsMin = 0) {
    this.sleepMsMin = sleepMsMin;
  }

  nowMicros(): number {
    return 1_700_000_000_000_000 + this.nowMs * 1_000 + ++this.micros;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms < renewMsMin) return this.pass(Math.max(ms, this.sleepMsMin));
    await new Promise((resolve) => signal?.addEventListener("abort", resolve, { once: true }));
  }

  pass(ms: number): void {
    this.nowMs += ms;
  }
}

/** A daemon over a bed. */
export interface BedDaemon {
  readonly storage: Storage;
  /** Stores texts and refers to them by name, as a put does. */
  readonly put: (name: string, texts: readonly Buffer[]) => Promise<void>;
}

/** Objects and metadata that daemons are opened over, and what they must hold. */
export class GarbageBed {
  readonly objects: ObjectStore = openMemObjectStore();
  readonly clock = new InstantClock();
  readonly calls: TestCalls;
  readonly metadata: MetadataStore;
  /** What is referred to, by name. */
  readonly kept = new Map<string, { contents: readonly Content[]; texts: readonly Buffer[] }>();
  private opened = 0;

  constructor() {
    const module = { procedures: { ...procedures, ...testProcedures }, migrations, relaxed };
    this.metadata = openInlineSqliteMetadata({ clock: this.clock, module });
    const named = (name: string) => (input: unknown) => this.run(name, input);
    this.calls = Object.fromEntries(
      Object.keys(testProcedures).map((name) => [name, named(name)]),
    ) as unknown as TestCalls;
  }

  /** Opens a daemon; `around` is told of each of its calls. */
  async open(
    around: Partial<Around> = {},
    { clock = this.clock as Clock, session = `daemon-${this.opened}` } = {},
  ): Promise<BedDaemon> {
    this.opened++;
    const pass = async (): Promise<void> => undefined;
    const { before = pass, after = pass } = around;
    const call = async (name: string, input: unknown): Promise<unknown> => {
      await before({ name: "stat", key: name });
      const output = await this.run(name, input);
      await after({ name: "stat", key: name });
      return output;
    };
    const storage = openStorage({
      objects: faulting(this.objects, { before, after }),
      metadata: { call: call as MetadataStore["call"] },
      compute: openInlineCompute(),
      clock,
      random: seededRandom(this.opened),
      log: silentLog,
      session,
    });
    await storage.renewSession({ address: "", release: "" });
    return {
      storage,
      put: async (name, texts) => {
        const contents = await ingest(storage, texts, async (stored, sealed) => {
          const entries = encodeRun(stored.map((content, i) => entryOf(i, content)));
          await call("keepRun", { name, entries, sealed } satisfies KeptRun);
        });
        this.kept.set(name, { contents, texts });
      },
    };
  }

  /** Removes a reference. */
  async drop(name: string): Promise<void> {
    this.kept.delete(name);
    await this.calls.dropRun({ name });
  }

  /** Time passes for leases; those of daemons end that do not renew them. */
  pass(ms = longMs): void {
    this.clock.pass(ms);
  }

  /** A run by a daemon that is started for it. */
  async collect(): ReturnType<Storage["collectGarbage"]> {
    this.pass();
    const { storage } = await this.open();
    const report = await storage.collectGarbage({ isDryRun: false }, never);
    await storage.close();
    return report;
  }

  /** Reads all that is referred to. */
  async assertReads(): Promise<void> {
    const { storage } = await this.open();
    for (const [name, { contents, texts }] of this.kept)
      for (const [i, content] of contents.entries())
        assert.ok((await readContent(storage, content)).equals(texts[i]!), name);
    await storage.close();
  }

  /** Drops all, collects, and finds nothing left but what two runs may leave. */
  async assertEmptied(): Promise<void> {
    for (const name of this.kept.keys()) await this.drop(name);
    await this.collect();
    await this.collect();
    assert.deepEqual(await this.packs(), []);
    assert.deepEqual(await this.rows(), { ...noRows });
  }

  /** Keys of packs and their bytes. */
  async packs(): Promise<{ key: string; bytes: number }[]> {
    const packs: { key: string; bytes: number }[] = [];
    for await (const pack of this.objects.list("packs/", {})) packs.push(pack);
    return packs;
  }

  private async run(name: string, input: unknown): Promise<unknown> {
    return await (this.metadata.call as (name: string, input: unknown) => Promise<unknown>).call(
      this.metadata,
      name,
      input,
    );
  }

  async rows(): Promise<RowCounts> {
    return await this.calls.countRows({});
  }
}

const noRows: RowCounts = {
  packs: 0,
  chunk_locations: 0,
  inline_chunks: 0,
  block_ids: 0,
  trash: 0,
  sessions: 0,
};

/** Stores texts; what refers to them is recorded while the writer is still on its way. */
async function ingest(
  storage: Storage,
  texts: readonly Buffer[],
  record: (contents: readonly Content[], sealed: Sealed) => Promise<unknown>,
): Promise<Content[]> {
  const ingest = storage.openIngest();
  let failure: unknown;
  try {
    const contents: Content[] = [];
    for (const text of texts) contents.push(await ingest.putBytes(text, "binary"));
    await record(contents, await ingest.seal());
    return contents;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    ingest.end(failure);
  }
}

/** An entry of a run, in order of its number. */
export function entryOf(number: number, content: Content): Entry {
  return {
    key: Buffer.from(`file ${String(number).padStart(8, "0")}`),
    type: "file",
    reset: false,
    clear: false,
    content,
    modifiedMicros: 1,
    commit: Buffer.alloc(16),
  };
}
