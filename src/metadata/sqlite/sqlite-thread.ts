// The thread that owns the database: the only place where a call waits for the disk.
import { parentPort, workerData } from "node:worker_threads";
import { present } from "../../base/assert.ts";
import { migrations } from "../migrations/index.ts";
import { freeing, procedures, relaxed } from "../procedures/index.ts";
import { DiskReserve } from "./disk-reserve.ts";
import {
  type Answer,
  type Call,
  type Early,
  Engine,
  type GroupResult,
  type Placed,
} from "./engine.ts";
import type { MetadataModule } from "../migrations/module.ts";
import { closeDatabase, openDatabase } from "./open-database.ts";
import { isSyncFailure, type Refusal, refusalOf } from "./refusal.ts";

/** What the thread is started with. */
export interface ThreadData {
  readonly path: string;
  /** Address of a module with other procedures and migrations. */
  readonly module: string | undefined;
}

export type ThreadRequest =
  | { readonly kind: "run"; readonly calls: readonly Call[] }
  | { readonly kind: "close" };

export type ThreadReply =
  | { readonly kind: "opened" }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** Answers of the group that is running. */
  | { readonly kind: "early"; readonly answers: readonly Placed[] }
  /** Those that were not given early, and the end of the group. */
  | { readonly kind: "answered"; readonly answers: readonly Placed[]; readonly committed: boolean }
  /** The database must not be touched again in this process. */
  | { readonly kind: "distrusted"; readonly refusal: Refusal };

const port = present(parentPort, "the port of the database's thread");
const { path, module } = workerData as ThreadData;

function reply(message: ThreadReply): void {
  port.postMessage(message);
}

function isFull(answer: Answer | undefined): boolean {
  return (
    answer !== undefined && "refusal" in answer && answer.refusal.code === "resource_exhausted"
  );
}

async function open(): Promise<void> {
  const chosen =
    module === undefined
      ? { procedures, migrations, relaxed, freeing }
      : ((await import(module)) as MetadataModule);
  const database = openDatabase(path, chosen.migrations);
  const engine = new Engine(database, chosen);
  const reserve = new DiskReserve(path);
  reserve.keep();
  const makesRoom = new Set(chosen.freeing);
  /** What makes room and found none tries once more with what is set aside. */
  const run = async (calls: readonly Call[], early: Early): Promise<GroupResult> => {
    const asked = (name: string): boolean => calls.some((call) => call.name === name);
    // Its steps are many, and what the drain does among them counts as anybody's.
    if (asked("beginGarbageRun")) reserve.lend();
    const first = await engine.runGroup(calls, early);
    const isStuck = (answer: Answer | undefined, { name }: Call): boolean =>
      makesRoom.has(name) && isFull(answer);
    const stuck = calls.filter((call, i) => isStuck(first.answers[i], call));
    if (stuck.length === 0 || !reserve.giveUp()) {
      if (asked("endGarbageRun")) reserve.keep();
      return first;
    }
    const second = await engine.runGroup(stuck);
    const answers = calls.map(
      (call, i) => second.answers[stuck.indexOf(call)] ?? present(first.answers[i], "an answer"),
    );
    return { answers, committed: first.committed || second.committed };
  };
  const answer = async (calls: readonly Call[]): Promise<void> => {
    const given = new Set<number>();
    const { answers, committed } = await run(calls, (reads) => {
      for (const [place] of reads) given.add(place);
      reply({ kind: "early", answers: reads });
    });
    const left = [...answers.entries()].filter(([place]) => !given.has(place));
    reply({ kind: "answered", answers: left, committed });
  };
  let last = Promise.resolve();
  let isTrusted = true;
  port.on("message", (request: ThreadRequest) => {
    last = last.then(async () => {
      if (!isTrusted) return;
      if (request.kind === "run") {
        try {
          await answer(request.calls);
        } catch (thrown) {
          if (!isSyncFailure(thrown)) throw thrown;
          isTrusted = false;
          reply({ kind: "distrusted", refusal: refusalOf(thrown, `Syncing ${path}`) });
        }
      } else {
        closeDatabase(database, path);
        port.close();
      }
    });
  });
}

try {
  await open();
  reply({ kind: "opened" });
} catch (thrown) {
  reply({ kind: "refused", refusal: refusalOf(thrown, `Opening ${path}`) });
}
