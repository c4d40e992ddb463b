import { strict as assert } from "node:assert";
import { randomBelow, randomHex, type Random } from "../../../src/base/random.ts";
import type { CommitInfo } from "../../../src/model/commit.ts";
import type { TestDaemon } from "./daemon.ts";
import {
  commitsOf,
  FaultAnswer,
  LostAnswer,
  readCommit,
  send,
  type KeyedRequest,
} from "./keyed-requests.ts";
import { difference, RepoOracle, type Write } from "./oracle.ts";

/** What a writer does next; `kind` is how the report calls it. */
export type Step =
  | { readonly kind: "start-commit" }
  | { readonly kind: string; readonly writes: readonly Write[]; readonly request: PutRequest }
  | { readonly kind: "finish-commit" };

/** A put: below the open commit, or with `asCommit` as a commit of its own. */
export interface PutRequest {
  readonly asCommit: boolean;
  /** After `.../commits/ID` or `.../branches/master`. */
  readonly path: string;
  readonly body: Buffer;
}

/** Gives a commit's worth of steps. */
export type Plan = (random: Random, round: number) => Step[];

interface Sent {
  readonly step: Step;
  readonly request: KeyedRequest;
}

/** How many requests without an answer turned out to have happened, and how many not. */
export interface Unanswered {
  retried: number;
  happened: number;
  not: number;
}

/** Writes commits into one repo, one request after the other, and knows what was acknowledged. */
export class CrashWriter {
  readonly oracle: RepoOracle;
  readonly unanswered: Unanswered = { retried: 0, happened: 0, not: 0 };
  private readonly plan: Plan;
  private readonly random: Random;
  private steps: Step[] = [];
  private round = 0;
  /** Writes into the open commit that were acknowledged. */
  private open: Write[] | undefined;
  private lost: Sent | undefined;

  constructor(repo: string, plan: Plan, random: Random) {
    this.oracle = new RepoOracle(repo);
    this.plan = plan;
    this.random = random;
  }

  get repo(): string {
    return this.oracle.repo;
  }

  /** Works until an answer is lost, or `stopped` says so between two requests. */
  async run(
    daemon: TestDaemon,
    events: {
      onSend: (kind: string) => void;
      onAnswer: (kind: string) => void;
      /** Whether to stop between two requests, after so many answers. */
      stopped: (answers: number) => boolean;
      /** Told of an answer that says the daemon could not: as good as none. Default: it is a mistake. */
      onFault?: (error: FaultAnswer) => void;
    },
  ): Promise<string | undefined> {
    for (let answers = 0; !events.stopped(answers); answers++) {
      if (this.steps.length === 0) this.steps = this.plan(this.random, this.round++);
      const sent = this.sent(this.steps[0]!);
      events.onSend(sent.step.kind);
      try {
        await this.carryOut(daemon, sent);
        this.steps.shift();
        events.onAnswer(sent.step.kind);
      } catch (error) {
        if (error instanceof FaultAnswer && events.onFault !== undefined) events.onFault(error);
        else if (!(error instanceof LostAnswer)) throw error;
        this.lost = sent;
        return sent.step.kind;
      }
    }
    return undefined;
  }

  /** After a restart: finds out what became of the request without an answer, and reads everything back. */
  async settle(daemon: TestDaemon): Promise<void> {
    const { lost } = this;
    this.lost = undefined;
    if (lost !== undefined) {
      if (!("writes" in lost.step) || randomBelow(this.random, 2) === 0) {
        this.unanswered.retried++;
        await this.carryOut(daemon, lost);
      } else if (lost.step.request.asCommit) {
        await this.lookForCommit(daemon, lost.step.writes);
      } else {
        await this.lookIntoCommit(daemon, lost.step.writes);
      }
      this.steps.shift();
    }
    await this.compare(daemon);
  }

  /** The repo's newest commit, which holds what all before it wrote, against what was acknowledged. */
  async compare(daemon: TestDaemon): Promise<void> {
    const found = await commitsOf(daemon, this.repo);
    const known = this.oracle.commits.map(({ id }) => id);
    const open = this.open === undefined ? [] : [this.oracle.nextId];
    assert.deepEqual(
      found.map(({ id }) => id),
      [...known, ...open],
      `commits of ${this.repo}`,
    );
    const newest = this.oracle.commits.at(-1);
    if (newest !== undefined) await this.compareCommit(daemon, newest);
  }

  /** Every commit there ever was. */
  async compareAll(daemon: TestDaemon): Promise<void> {
    for (const commit of this.oracle.commits) await this.compareCommit(daemon, commit);
  }

  /** Finishes what is open, so that nothing is. */
  async end(daemon: TestDaemon): Promise<void> {
    this.steps = [];
    if (this.open !== undefined) await this.carryOut(daemon, this.sent({ kind: "finish-commit" }));
  }

  private async compareCommit(
    daemon: TestDaemon,
    commit: RepoOracle["commits"][number],
  ): Promise<void> {
    const found = await readCommit(daemon, { repo: this.repo, id: commit.id });
    assert.equal(difference(found, commit.files), undefined, `${this.repo}/${commit.id}`);
  }

  private sent(step: Step): Sent {
    const key = randomHex(this.random);
    const repo = `/repos/${this.repo}`;
    const commit = `${repo}/commits/${encodeURIComponent(this.oracle.nextId)}`;
    if ("writes" in step) {
      const { asCommit, path, body } = step.request;
      return {
        step,
        request: { path: (asCommit ? `${repo}/branches/master` : commit) + path, key, body },
      };
    }
    if (step.kind === "start-commit")
      return { step, request: { path: `${repo}/commits`, key, json: { parent: "master" } } };
    return { step, request: { path: `${commit}/finish`, key } };
  }

  private async carryOut(daemon: TestDaemon, { step, request }: Sent): Promise<void> {
    const answer = await send<Partial<CommitInfo>>(daemon, request);
    if ("writes" in step) {
      if (step.request.asCommit) this.oracle.finished(answer.id!, step.writes);
      else this.open!.push(...step.writes);
    } else if (step.kind === "start-commit") {
      assert.equal(answer.id, this.oracle.nextId);
      this.open = [];
    } else {
      assert.equal(answer.state, "finished");
      this.oracle.finished(answer.id!, this.open!);
      this.open = undefined;
    }
  }

  /** A put as a commit of its own, not sent again: there is a whole commit, or none. */
  private async lookForCommit(daemon: TestDaemon, writes: readonly Write[]): Promise<void> {
    const { nextId } = this.oracle;
    const made = (await commitsOf(daemon, this.repo)).some(({ id }) => id === nextId);
    if (!made) {
      this.unanswered.not++;
      return;
    }
    // The daemon finishes it by itself; asking is how one waits for that.
    await send(daemon, {
      path: `/repos/${this.repo}/commits/${encodeURIComponent(nextId)}/finish`,
    });
    this.unanswered.happened++;
    this.oracle.finished(nextId, writes);
  }

  /** A put into an open commit, not sent again: all its files are in the commit, or none. */
  private async lookIntoCommit(daemon: TestDaemon, writes: readonly Write[]): Promise<void> {
    const id = this.oracle.nextId;
    await send(daemon, { path: `/repos/${this.repo}/commits/${encodeURIComponent(id)}/finish` });
    const found = await readCommit(daemon, { repo: this.repo, id });
    const before = this.open!;
    this.open = undefined;
    // The finish that is planned is done.
    while (this.steps.length > 1) this.steps.pop();
    if (difference(found, this.oracle.filesAfter(before)) === undefined) {
      this.unanswered.not++;
      this.oracle.finished(id, before);
      return;
    }
    this.unanswered.happened++;
    this.oracle.finished(id, [...before, ...writes]);
  }
}
