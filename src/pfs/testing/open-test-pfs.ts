import type { Clock } from "../../base/clock.ts";
import { Hints } from "../../base/hints.ts";
import { silentLog } from "../../base/log.ts";
import { seededRandom } from "../../base/random.ts";
import type { CommitInfo, CommitName } from "../../model/commit.ts";
import type { FileInfo } from "../../model/file.ts";
import { localPrincipal } from "../../model/principal.ts";
import type { MetadataStore } from "../../metadata/index.ts";
import { openTestMetadata } from "../../metadata/testing/open-test-metadata.ts";
import { openMemObjectStore, type ObjectStore } from "../../objectstore/index.ts";
import { openInlineCompute } from "../../storage/compute.ts";
import { openStorage } from "../../storage/index.ts";
import { cancelCommit, startCommit } from "../commits.ts";
import { deleteFile } from "../delete-file.ts";
import { inspectFile, listFiles, openFile } from "../files.ts";
import { finishCommit } from "../finish-commit.ts";
import type { PutFile } from "../ingest-files.ts";
import { OpenRoots } from "../open-roots.ts";
import type { PfsDeps } from "../pfs-deps.ts";
import { putFiles } from "../put-files.ts";
import { createRepo } from "../repos.ts";
import { openNamedView, type ViewQuery } from "../view.ts";
import { ShiftedClock } from "./shifted-clock.ts";

/** Files by path; `null` is a directory. */
export type Files = Record<string, string | null>;

/** Never fires: for calls that must end by themselves. */
export const never: AbortSignal = new AbortController().signal;

/** A whole pfs in the memory of this process, with short names for what tests do all the time. */
export class TestPfs {
  /** Its own, unless another was given. */
  readonly clock = new ShiftedClock();
  readonly deps: PfsDeps;

  /** @param over what is there already, as disk and database are when a daemon starts again */
  constructor(
    seed: number,
    over: { objects?: ObjectStore; metadata?: MetadataStore; session?: string; clock?: Clock } = {},
  ) {
    const { clock = this.clock } = over;
    const random = seededRandom(seed);
    const { objects = openMemObjectStore(), metadata = openTestMetadata(clock) } = over;
    const storage = openStorage({
      objects,
      metadata,
      compute: openInlineCompute(),
      clock,
      random,
      log: silentLog,
      session: over.session ?? "test",
    });
    const openRoots = new OpenRoots({ metadata, storage });
    this.deps = { metadata, storage, clock, random, hints: new Hints(), log: silentLog, openRoots };
  }

  /** Makes a repo. */
  async repo(name: string, ...provenance: string[]): Promise<void> {
    await createRepo(this.deps, localPrincipal, { name, provenance });
  }

  /** Starts a commit; gives back its id. */
  async start(repo: string, parent = "master", provenance: CommitName[] = []): Promise<string> {
    return (await startCommit(this.deps, localPrincipal, { repo, parent, provenance })).id;
  }

  /** Appends to one file, or replaces it. */
  async put(commit: CommitName, path: string, text: string, overwrite = false): Promise<void> {
    await this.putAll(commit, [{ path, overwrite, content: Buffer.from(text) }]);
  }

  /** Puts several files in one request, which may be sent again when it has a key. */
  async putAll(commit: CommitName, files: PutFile[], key?: string): Promise<void> {
    const input = { commit, files: listed(files), signal: never };
    await putFiles(this.deps, localPrincipal, key === undefined ? input : { ...input, key });
  }

  /** Deletes a path from an open commit. */
  async delete(commit: CommitName, path: string): Promise<void> {
    await deleteFile(this.deps, localPrincipal, { commit, path });
  }

  /** Finishes a commit; an open parent is refused at once. */
  async finish(commit: CommitName): Promise<CommitInfo> {
    return await finishCommit(this.deps, localPrincipal, { commit, waitMs: 0, signal: never });
  }

  /** Cancels a commit. */
  async cancel(name: CommitName): Promise<CommitInfo> {
    return await cancelCommit(this.deps, localPrincipal, name);
  }

  /** Starts, puts and finishes; gives back the id. */
  async commit(
    repo: string,
    files: Record<string, string> = {},
    { branch = "master", provenance = [] as CommitName[] } = {},
  ): Promise<string> {
    const id = await this.start(repo, branch, provenance);
    for (const [path, text] of Object.entries(files)) await this.put({ repo, id }, path, text);
    await this.finish({ repo, id });
    return id;
  }

  /** The content of a file, as a view shows it. */
  async get(
    commit: CommitName,
    path: string,
    { start = 0, end = Infinity, ...query }: ViewQuery & { start?: number; end?: number } = {},
  ): Promise<string> {
    const file = await openFile(this.deps, localPrincipal, { commit, path, query });
    const parts: Buffer[] = [];
    for await (const part of file.read({ start, end: Math.min(end, file.bytes) }, never))
      parts.push(Buffer.from(part));
    return Buffer.concat(parts).toString();
  }

  /** All that a view shows. */
  async files(commit: CommitName, query: ViewQuery = {}): Promise<Files> {
    const shown: Files = {};
    const { view } = await openNamedView(this.deps, commit, query);
    for await (const { path, entry } of view.below(""))
      shown[path] = entry.type === "dir" ? null : await this.get(commit, path, query);
    return shown;
  }

  /** `path size` of each entry of a directory. */
  async list(
    commit: CommitName,
    path = "",
    query: ViewQuery & { recurse?: boolean } = {},
  ): Promise<string[]> {
    const { files } = await listFiles(this.deps, localPrincipal, {
      commit,
      path,
      query: { recurse: false, limit: 1_000, ...query },
    });
    return files.map((file) => `${file.path}${file.type === "dir" ? "/" : ""} ${file.sizeBytes}`);
  }

  /** One file as inspect-file shows it. */
  async inspect(commit: CommitName, path: string, query: ViewQuery = {}): Promise<FileInfo> {
    return await inspectFile(this.deps, localPrincipal, { commit, path, query });
  }

  async close(): Promise<void> {
    await this.deps.storage.close();
    await this.deps.metadata.close();
  }
}

/** Opens pfs for one test; it is gone when the test ends. */
export function openTestPfs(
  t: { after(work: () => Promise<void>): void },
  { seed = 1 } = {},
): TestPfs {
  const pfs = new TestPfs(seed);
  t.after(async () => await pfs.close());
  return pfs;
}

/** An array as the stream of a request. */
export async function* listed<T>(items: Iterable<T>): AsyncGenerator<T, void, void> {
  yield* items;
}
