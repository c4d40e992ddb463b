import { strict as assert } from "node:assert";
import { seededRandom } from "../../src/base/random.ts";
import { KiB } from "../../src/base/size.ts";
import type { CommitInfo, CommitName } from "../../src/model/commit.ts";
import { localPrincipal } from "../../src/model/principal.ts";
import {
  cancelCommit,
  createRepo,
  deleteFile,
  deleteRepo,
  finishCommit,
  listCommits,
  openFile,
  putCommit,
  putFiles,
  revertCommit,
  startCommit,
  type PfsDeps,
} from "../../src/pfs/index.ts";
import { openNamedView } from "../../src/pfs/view.ts";
import { createPipeline, deletePipeline, listJobs, type PpsDeps } from "../../src/pps/index.ts";
import { RepoModel } from "./repo-model.ts";
import type { World } from "./world.ts";

const never = new AbortController().signal;
const paths = ["a", "b", "dir/c", "dir/d", "dir/deep/e"];
/** Few texts, so that the same bytes come again after they have become garbage. */
const textsMax = 6;
const ended: ReadonlySet<string> = new Set(["success", "failure", "empty"]);

/** The one writer of a repo. It sends a request again, with its key, until it is answered. */
export class SimClient {
  readonly repo: string;
  readonly model = new RepoModel();
  /** Lines that it put into the shared commit, in order. */
  readonly shared: string[] = [];
  private readonly world: World;
  private pipeline: string | undefined;
  private requests = 0;

  constructor(world: World, repo: string) {
    this.world = world;
    this.repo = repo;
  }

  async begin(): Promise<void> {
    await this.send(async (pfs, key) => {
      await createRepo(pfs, localPrincipal, { name: this.repo, provenance: [], key });
    });
  }

  /** From here on a pipeline copies each commit; its repo is made anew no more. */
  async addPipeline(): Promise<void> {
    this.pipeline = `copy_of_${this.repo}`;
    const input = { repo: { name: this.repo }, method: "reduce", runEmpty: true };
    const document = {
      pipeline: { name: this.pipeline },
      transform: { cmd: ["copy"] },
      parallelism_spec: { constant: 2 },
      inputs: [input],
    };
    await this.send((_, key, pps) => createPipeline(pps, localPrincipal, { document, key }));
  }

  /** Does one thing by chance, and tells the model. */
  async act(): Promise<void> {
    const { model, repo } = this;
    const { scheduler } = this.world;
    const what = scheduler.chance(20);
    if (what === 0) return await this.check();
    if (this.world.isBusyCollecting) return await (what < 8 ? this.startAnew() : this.putWhole());
    if (what === 1) return await this.putShared();
    if (model.open === undefined) {
      if (what === 2 && this.pipeline === undefined) return await this.startAnew();
      if (what < 6) return await this.putWhole();
      if (what === 6 && model.finished.size > 0) return await this.revert();
      const { id } = await this.send((pfs, key) =>
        startCommit(pfs, localPrincipal, { repo, parent: "master", provenance: [], key }),
      );
      return model.start(id);
    }
    const commit = { repo, id: model.open.id };
    if (what < 11) return await this.put(commit);
    if (what < 13) {
      const path = scheduler.pick([...paths, "dir"]);
      await this.send((pfs, key) => deleteFile(pfs, localPrincipal, { commit, path, key }));
      return model.delete(path);
    }
    if (what === 13) {
      await this.send((pfs) => cancelCommit(pfs, localPrincipal, commit));
      return model.cancel();
    }
    await this.send((pfs) =>
      finishCommit(pfs, localPrincipal, { commit, waitMs: 0, signal: never }),
    );
    model.finish();
  }

  /** Compares all that one daemon shows with the model. */
  async check(): Promise<void> {
    const { model, repo } = this;
    const shown = await this.send((pfs) =>
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
    const states = new Map(shown.map((info) => [info.id, info.state] as const));
    for (const id of model.finished.keys()) assert.equal(states.get(id), "finished", id);
    for (const id of model.cancelled) assert.equal(states.get(id), "cancelled", id);
    const expected =
      model.finished.size + model.cancelled.size + (model.open === undefined ? 0 : 1);
    assert.equal(shown.length, expected, `${repo}: ${[...states].join(" ")}`);
    const all = [
      ...model.finished,
      ...(model.open === undefined ? [] : [[model.open.id, model.open.files] as const]),
    ];
    for (const [id, files] of all) await this.compare({ repo, id }, files);
  }

  /** Compares the outputs of the pipeline, if there is one: a job each commit, which has copied it or failed. */
  async checkJobs(): Promise<void> {
    const { pipeline, model } = this;
    if (pipeline === undefined) return;
    const jobs = await this.send((_, __, pps) =>
      listJobs(pps, localPrincipal, { pipeline, inputs: [] }),
    );
    const seen = jobs.map(({ inputs }) => inputs[0]!.commit.id);
    assert.deepEqual(seen.toSorted(), [...model.finished.keys()].toSorted());
    for (const { id, state, outputCommit, inputs } of jobs) {
      assert.ok(state === "success" || state === "failure", `job ${id}: ${state}`);
      if (state === "success")
        await this.compare(outputCommit!, model.finished.get(inputs[0]!.commit.id)!);
    }
  }

  /** Whether there are jobs that have not ended. */
  async hasWork(): Promise<boolean> {
    const { pipeline, model } = this;
    if (pipeline === undefined) return false;
    const jobs = await this.send((_, __, pps) =>
      listJobs(pps, localPrincipal, { pipeline, inputs: [] }),
    );
    return jobs.length < model.finished.size || jobs.some(({ state }) => !ended.has(state));
  }

  /** Deletes all that it has made. */
  async end(): Promise<void> {
    const { pipeline, repo } = this;
    if (pipeline !== undefined) {
      await this.send((_, key, pps) => deletePipeline(pps, localPrincipal, pipeline, { key }));
      await this.send((pfs) => deleteRepo(pfs, localPrincipal, { name: pipeline, force: true }));
    }
    await this.send((pfs) => deleteRepo(pfs, localPrincipal, { name: repo, force: true }));
  }

  /** The lines that a shared commit has of this client. */
  async sharedLines(commit: CommitName): Promise<string[]> {
    const text = await this.send((pfs) => readText(pfs, commit, "lines"));
    return text.split("\n").filter((line) => line.startsWith(`${this.repo} `));
  }

  /** Sends a request, with a key of its own, until a daemon answers. */
  async send<T>(work: (pfs: PfsDeps, key: string, pps: PpsDeps) => Promise<T>): Promise<T> {
    const key = `${this.repo}-${++this.requests}`;
    return await this.world.send(this.repo, (pfs, pps) => work(pfs, key, pps));
  }

  private async put(commit: CommitName): Promise<void> {
    const { scheduler } = this.world;
    const path = scheduler.pick(paths);
    const overwrite = scheduler.chance(3) === 0;
    const text = this.text();
    await this.send((pfs, key) =>
      putFiles(pfs, localPrincipal, {
        commit,
        files: listed([{ path, overwrite, content: Buffer.from(text) }]),
        key,
        signal: never,
      }),
    );
    this.model.put(path, text, overwrite);
  }

  private async putWhole(): Promise<void> {
    const { repo, model } = this;
    const files = model.copyOfHead();
    const path = this.world.scheduler.pick(paths);
    const text = this.text();
    files.set(path, (files.get(path) ?? "") + text);
    const info = await this.send((pfs, key) =>
      putCommit(pfs, localPrincipal, {
        repo,
        branch: "master",
        files: listed([{ path, overwrite: false, content: Buffer.from(text) }]),
        key,
        waitMs: 60_000,
        signal: never,
      }),
    );
    model.whole(info.id, files);
  }

  private async revert(): Promise<void> {
    const { repo, model } = this;
    const [commit, files] = this.world.scheduler.pick([...model.finished]);
    const info: CommitInfo = await this.send((pfs, key) =>
      revertCommit(pfs, localPrincipal, {
        repo,
        branch: "master",
        to: { repo, id: commit },
        key,
        signal: never,
      }),
    );
    model.whole(info.id, files);
  }

  private async startAnew(): Promise<void> {
    await this.send((pfs, key) =>
      deleteRepo(pfs, localPrincipal, { name: this.repo, force: false, key }),
    );
    this.model.clear();
    await this.begin();
  }

  private async putShared(): Promise<void> {
    const line = `${this.repo} ${this.shared.length}`;
    await this.send((pfs, key) =>
      putFiles(pfs, localPrincipal, {
        commit: { repo: "shared", id: "master/0" },
        files: listed([{ path: "lines", overwrite: false, content: Buffer.from(`${line}\n`) }]),
        key,
        signal: never,
      }),
    );
    this.shared.push(line);
  }

  /** A line, or now and then more than fits into the metadata. */
  private text(): string {
    const { scheduler } = this.world;
    const which = scheduler.chance(textsMax);
    const isLong = this.world.isBusyCollecting || scheduler.chance(4) === 0;
    const bytes = isLong ? 300 * KiB : 100;
    return seededRandom(which)
      .bytes(bytes / 2)
      .toString("hex");
  }

  private async compare(commit: CommitName, files: ReadonlyMap<string, string>): Promise<void> {
    const shown = await this.send(async (pfs) => {
      const found = new Map<string, string>();
      const { view } = await openNamedView(pfs, commit, {});
      for await (const { path, entry } of view.below(""))
        if (entry.type !== "dir") found.set(path, await readText(pfs, commit, path));
      return found;
    });
    const where = `${commit.repo}/${commit.id}`;
    assert.deepEqual([...shown.keys()].toSorted(), [...files.keys()].toSorted(), where);
    for (const [path, text] of files) assert.ok(shown.get(path) === text, `${where} ${path}`);
  }
}

async function readText(pfs: PfsDeps, commit: CommitName, path: string): Promise<string> {
  const file = await openFile(pfs, localPrincipal, { commit, path, query: {} });
  const parts: Buffer[] = [];
  for await (const part of file.read({ start: 0, end: file.bytes }, never))
    parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString();
}

async function* listed<T>(items: readonly T[]): AsyncGenerator<T, void, void> {
  yield* items;
}
