// Goal: any sequence of requests, collections, restarts and crashes leaves what a few lines of model say.
// Method: fast-check draws sequences of commands for two daemons over one store and one database, and
// shrinks one that fails. A crash comes at the N-th call of the command before it, which is then sent
// again, with its key, to the other daemon. MAMMOTH_SIM_SEQUENCES=10000 is the long form.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import fc from "fast-check";
import { CodedError, isCoded } from "../../src/base/errors.ts";
import { seededRandom, systemRandom } from "../../src/base/random.ts";
import { KiB } from "../../src/base/size.ts";
import { localPrincipal } from "../../src/model/principal.ts";
import { openInlineSqliteMetadata, type MetadataStore } from "../../src/metadata/index.ts";
import { faulting, openMemObjectStore } from "../../src/objectstore/index.ts";
import {
  cancelCommit,
  createRepo,
  deleteFile,
  deleteRepo,
  finishCommit,
  putFiles,
  startCommit,
  verifyStore,
  type PfsDeps,
} from "../../src/pfs/index.ts";
import { never, TestPfs } from "../../src/pfs/testing/open-test-pfs.ts";
import { InstantClock } from "../../src/storage/testing/garbage-bed.ts";
import { RepoModel } from "./repo-model.ts";

const seed = Number(process.env["MAMMOTH_SIM_SEED"] ?? systemRandom.bytes(4).readInt32BE());
const numRuns = Number(process.env["MAMMOTH_SIM_SEQUENCES"] ?? 40);
const commit = (id: string): { repo: string; id: string } => ({ repo: "data", id });

/** Two daemons that share everything but their memory. */
class System {
  private readonly objects = openMemObjectStore();
  private readonly clock = new InstantClock();
  private readonly metadata = openInlineSqliteMetadata({ clock: this.clock });
  private daemons: TestPfs[] = [];
  private opened = 0;
  private requests = 0;
  /** Calls until the daemon that makes them is dead. */
  private callsLeft = Infinity;

  async begin(): Promise<void> {
    this.daemons = [await this.open(), await this.open()];
    await this.send(0, async (pfs, key) => {
      await createRepo(pfs, localPrincipal, { name: "data", provenance: [], key });
    });
  }

  /**
   * Sends a request; when the daemon dies under it, or was taken for dead because it stood still while the
   * other collected, once more.
   */
  async send<T>(daemon: number, work: (pfs: PfsDeps, key: string) => Promise<T>): Promise<T> {
    const key = `request-${++this.requests}`;
    try {
      return await work(this.daemons[daemon]!.deps, key);
    } catch (error) {
      const hasDied = this.callsLeft <= 0 && isCoded(error, "unavailable");
      this.callsLeft = Infinity;
      if (hasDied) this.daemons[daemon] = await this.open();
      else if (isCoded(error, "aborted")) await this.renewSessions();
      else throw error;
      return await work(this.daemons[daemon]!.deps, key);
    } finally {
      this.callsLeft = Infinity;
    }
  }

  /** The next request's N-th call finds its daemon dead. */
  crashAfter(calls: number): void {
    this.callsLeft = calls;
  }

  async restart(daemon: number): Promise<void> {
    this.callsLeft = Infinity;
    this.daemons[daemon] = await this.open();
  }

  async collect(daemon: number): Promise<void> {
    const { callsLeft } = this;
    this.callsLeft = Infinity;
    // Those who died are forgotten, and what is half done is due.
    await this.passTime();
    this.callsLeft = callsLeft;
    await this.send(daemon, async (pfs) => {
      await pfs.storage.collectGarbage({ isDryRun: false }, never).catch(async (error: unknown) => {
        // The run of one that has died goes on until its lease ends.
        if (!isCoded(error, "failed_precondition")) throw error;
        await this.passTime();
        await pfs.storage.collectGarbage({ isDryRun: false }, never);
      });
    });
  }

  private async passTime(): Promise<void> {
    this.clock.pass(120_000);
    await this.renewSessions();
  }

  private async renewSessions(): Promise<void> {
    for (const { deps } of this.daemons)
      await deps.storage.renewSession({ address: "", release: "" });
  }

  async shown(daemon: number, id: string): Promise<Record<string, string | null>> {
    return await this.daemons[daemon]!.files(commit(id));
  }

  async close(): Promise<void> {
    await this.metadata.close();
  }

  private async open(): Promise<TestPfs> {
    const name = ++this.opened;
    const step = async (): Promise<void> => {
      if (this.callsLeft === Infinity) return;
      if (this.callsLeft-- <= 0) throw new CodedError("unavailable", "the daemon is dead");
    };
    const call: MetadataStore["call"] = async (procedure, input) => {
      await step();
      const output = await this.metadata.call(procedure, input);
      await step();
      return output;
    };
    const pfs = new TestPfs(seed + name, {
      clock: this.clock,
      objects: faulting(this.objects, { before: step, after: step }),
      metadata: { call, close: async () => undefined },
      session: `daemon-${name}`,
    });
    await pfs.deps.storage.renewSession({ address: "", release: "" });
    return pfs;
  }
}

type Command = fc.AsyncCommand<RepoModel, System>;

function command(
  name: string,
  canRun: (model: RepoModel) => boolean,
  run: (model: RepoModel, system: System) => Promise<void>,
): Command {
  return { check: canRun, run, toString: () => name };
}

const isOpen = ({ open }: RepoModel): boolean => open !== undefined;
const daemons = fc.nat({ max: 1 });
const paths = fc.constantFrom("a", "b", "dir/c", "dir/d", "dir/deep/e");
/** Few texts, so that bytes come again after they have become garbage; some are too long for the metadata. */
const texts = fc
  .tuple(fc.nat({ max: 4 }), fc.constantFrom(50, 50, 50, 300 * KiB))
  .map(([which, bytes]) =>
    seededRandom(which)
      .bytes(bytes / 2)
      .toString("hex"),
  );

const commands: fc.Arbitrary<Command>[] = [
  daemons.map((on) =>
    command(
      `start on ${on}`,
      (model) => !isOpen(model),
      async (model, system) => {
        const input = { repo: "data", parent: "master", provenance: [] };
        const info = await system.send(on, (pfs, key) =>
          startCommit(pfs, localPrincipal, { ...input, key }),
        );
        model.start(info.id);
      },
    ),
  ),
  ...Array.from({ length: 3 }, () =>
    fc.tuple(daemons, paths, texts, fc.boolean()).map(([on, path, text, overwrite]) =>
      command(`put ${path} ${text.length} ${overwrite} on ${on}`, isOpen, async (model, system) => {
        const { id } = model.open!;
        await system.send(on, (pfs, key) => {
          const files = listed([{ path, overwrite, content: Buffer.from(text) }]);
          return putFiles(pfs, localPrincipal, { commit: commit(id), files, key, signal: never });
        });
        model.put(path, text, overwrite);
      }),
    ),
  ),
  fc.tuple(daemons, fc.oneof(paths, fc.constant("dir"))).map(([on, path]) =>
    command(`delete ${path} on ${on}`, isOpen, async (model, system) => {
      const { id } = model.open!;
      await system.send(on, (pfs, key) =>
        deleteFile(pfs, localPrincipal, { commit: commit(id), path, key }),
      );
      model.delete(path);
    }),
  ),
  ...Array.from({ length: 2 }, () =>
    daemons.map((on) =>
      command(`finish on ${on}`, isOpen, async (model, system) => {
        const { id } = model.open!;
        await system.send(on, (pfs) =>
          finishCommit(pfs, localPrincipal, { commit: commit(id), waitMs: 0, signal: never }),
        );
        model.finish();
      }),
    ),
  ),
  daemons.map((on) =>
    command(`cancel on ${on}`, isOpen, async (model, system) => {
      const { id } = model.open!;
      await system.send(on, (pfs) => cancelCommit(pfs, localPrincipal, commit(id)));
      model.cancel();
    }),
  ),
  daemons.map((on) =>
    command(
      `delete the repo on ${on}`,
      () => true,
      async (model, system) => {
        await system.send(on, async (pfs, key) => {
          const deletion = { name: "data", force: false, key: `${key} deletes` };
          await deleteRepo(pfs, localPrincipal, deletion);
          await createRepo(pfs, localPrincipal, { name: "data", provenance: [], key });
        });
        model.clear();
      },
    ),
  ),
  ...Array.from({ length: 2 }, () =>
    daemons.map((on) =>
      command(
        `collect on ${on}`,
        () => true,
        (_, system) => system.collect(on),
      ),
    ),
  ),
  daemons.map((on) =>
    command(
      `restart ${on}`,
      () => true,
      (_, system) => system.restart(on),
    ),
  ),
  ...Array.from({ length: 3 }, () =>
    fc.nat({ max: 40 }).map((calls) =>
      command(
        `crash at call ${calls}`,
        () => true,
        async (_, system) => system.crashAfter(calls),
      ),
    ),
  ),
  daemons.map((on) =>
    command(
      `compare on ${on}`,
      () => true,
      (model, system) => compare(model, system, on),
    ),
  ),
];

async function compare(model: RepoModel, system: System, on: number): Promise<void> {
  system.crashAfter(Infinity);
  const open = model.open === undefined ? [] : [[model.open.id, model.open.files] as const];
  for (const [id, files] of [...model.finished, ...open]) {
    const shown = await system.shown(on, id);
    const texts = Object.entries(shown).filter(([, text]) => text !== null);
    assert.deepEqual(new Map(texts), new Map(files), id);
  }
}

async function assertWhole(system: System): Promise<void> {
  await system.send(0, async (pfs) => {
    const lines = verifyStore(pfs, localPrincipal, {
      readData: true,
      repair: false,
      signal: never,
    });
    const next = await lines.next();
    assert.ok(next.done === true, JSON.stringify(next.value));
  });
}

test(
  `${numRuns} sequences against a model (MAMMOTH_SIM_SEED=${seed})`,
  { timeout: 7_200_000 },
  async () => {
    const property = fc.asyncProperty(fc.commands(commands, { maxCommands: 60 }), async (drawn) => {
      const system = new System();
      await system.begin();
      const model = new RepoModel();
      await fc.asyncModelRun(() => ({ model, real: system }), drawn);
      system.crashAfter(Infinity);
      for (const on of [0, 1]) await compare(model, system, on);
      await assertWhole(system);
      await system.collect(0);
      await assertWhole(system);
      await compare(model, system, 1);
      await system.close();
    });
    await fc.assert(property, {
      seed,
      numRuns,
      endOnFailure: process.env["MAMMOTH_SIM_SEQUENCES"] === undefined,
    });
  },
);

async function* listed<T>(items: readonly T[]): AsyncGenerator<T, void, void> {
  yield* items;
}
