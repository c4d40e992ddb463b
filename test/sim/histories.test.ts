// Goal: of many writers at once, through two daemons, no append is lost, doubled or out of order.
// Method: 64 writers to one open commit, then 64 to 16 branches; requests and answers get lost, and some
// requests are sent twice at once, with one key. MAMMOTH_SIM_SEEDS=1000 is the long form.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { systemRandom } from "../../src/base/random.ts";
import { localPrincipal } from "../../src/model/principal.ts";
import {
  createRepo,
  finishCommit,
  listCommits,
  openFile,
  putCommit,
  putFiles,
  startCommit,
  type PfsDeps,
  type PutFile,
} from "../../src/pfs/index.ts";
import { assertHistory, type Append } from "./history.ts";
import type { Scheduler } from "./scheduler.ts";
import { simulate } from "./simulate.ts";
import { World } from "./world.ts";

const firstSeed = Number(process.env["MAMMOTH_SIM_SEED"] ?? systemRandom.bytes(4).readUInt32BE());
const seeds = Number(process.env["MAMMOTH_SIM_SEEDS"] ?? 1);
const repo = "data";
const writers = 64;
const branches = 16;
const never = new AbortController().signal;

test(
  `${seeds} histories of ${writers} writers (MAMMOTH_SIM_SEED=${firstSeed})`,
  { timeout: 7_200_000 },
  async () => {
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) await simulate(seed, story);
  },
);

async function story(scheduler: Scheduler): Promise<void> {
  const world = new World(scheduler);
  for (let i = 0; i < 2; i++) await world.startDaemon();
  const history = new History(world);
  await world.send("main", (pfs) =>
    createRepo(pfs, localPrincipal, { name: repo, provenance: [], key: "repo" }),
  );
  await appendToOne(world, history);
  await appendToBranches(world, history);
}

async function appendToOne(world: World, history: History): Promise<void> {
  const { id } = await world.send("main", (pfs) =>
    startCommit(pfs, localPrincipal, { repo, parent: "one", provenance: [], key: "start" }),
  );
  const commit = { repo, id };
  const appends = await history.make(3, (pfs, { line, key }) =>
    putFiles(pfs, localPrincipal, { commit, files: fileOf(line), key, signal: never }),
  );
  await world.send("main", (pfs) =>
    finishCommit(pfs, localPrincipal, { commit, waitMs: 0, signal: never }),
  );
  assertHistory(await world.send("main", (pfs) => linesOf(pfs, id)), appends);
}

async function appendToBranches(world: World, history: History): Promise<void> {
  const appends = await history.make(2, (pfs, { line, key, writer }) =>
    putCommit(pfs, localPrincipal, {
      repo,
      branch: branchOf(writer),
      files: fileOf(line),
      key,
      waitMs: 60_000,
      signal: never,
    }),
  );
  for (let branch = 0; branch < branches; branch++) {
    const expected = appends.filter(({ writer }) => writer % branches === branch);
    assertHistory(await world.send("main", (pfs) => linesOf(pfs, branchOf(branch))), expected);
  }
  const commits = await world.send("main", (pfs) =>
    listCommits(pfs, localPrincipal, {
      include: [{ repo }],
      exclude: [],
      provenance: [],
      type: "NONE",
      status: "ALL",
      block: false,
      signal: never,
    }),
  );
  assert.equal(commits.length, 1 + appends.length);
}

/** One request of a writer. */
interface Request {
  readonly writer: number;
  readonly line: string;
  readonly key: string;
}

class History {
  private readonly world: World;
  private events = 0;
  private rounds = 0;

  constructor(world: World) {
    this.world = world;
  }

  /** Every writer appends so many lines, one after the other; all at the same time. */
  async make(
    count: number,
    append: (pfs: PfsDeps, request: Request) => Promise<unknown>,
  ): Promise<(Append & Request)[]> {
    const { scheduler } = this.world;
    const round = ++this.rounds;
    const appends: (Append & Request)[] = [];
    const write = async (writer: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const line = `writer ${writer} line ${i}`;
        const request = { writer, line, key: `${round} ${line}` };
        const sent = ++this.events;
        const copies = scheduler.chance(4) === 0 ? 2 : 1;
        const answers = Array.from({ length: copies }, () =>
          this.world.send(`w${writer}`, (pfs) => append(pfs, request)),
        );
        const [first, second] = await Promise.all(answers);
        if (copies === 2) assert.deepEqual(second, first);
        appends.push({ ...request, sent, answered: ++this.events });
      }
    };
    await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
    return appends;
  }
}

function branchOf(writer: number): string {
  return `branch${writer % branches}`;
}

async function* fileOf(line: string): AsyncGenerator<PutFile, void, void> {
  yield { path: "lines", overwrite: false, content: Buffer.from(`${line}\n`) };
}

async function linesOf(pfs: PfsDeps, id: string): Promise<string[]> {
  const commit = { repo, id };
  const file = await openFile(pfs, localPrincipal, { commit, path: "lines", query: {} });
  const parts: Buffer[] = [];
  for await (const part of file.read({ start: 0, end: file.bytes }, never))
    parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString().trimEnd().split("\n");
}
