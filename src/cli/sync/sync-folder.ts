import { resolve } from "node:path";
import { isCoded } from "../../base/errors.ts";
import { formatBytes } from "../../base/size.ts";
import type { SentFile } from "../../client/index.ts";
import { scanFolder, type ScannedFile } from "../../localfiles/index.ts";
import type { CommitInfo, CommitName } from "../../model/commit.ts";
import { joinPath, parsePath, type FilePath } from "../../model/paths.ts";
import { readLocal } from "../local-files.ts";
import { orCancelled, sendFilesAs, type SendCall, type Sending } from "../send-sources.ts";
import { planSync, type SyncPlan } from "./plan-sync.ts";
import { areAsRemembered, compareSides, folderDigest, type There } from "./sides.ts";
import { rememberedFiles, SyncCache } from "./sync-cache.ts";

export interface Sync {
  /** The folder of this machine. */
  readonly folder: string;
  readonly repo: string;
  /** An open commit, or with `asCommit` a branch. */
  readonly target: string;
  readonly asCommit: boolean;
  /** The folder of the commit. */
  readonly path: FilePath;
  /** Whether what the source does not have is deleted. */
  readonly deletes: boolean;
}

/** What is to be done, and for whom. */
interface Change {
  readonly sync: Sync;
  readonly plan: SyncPlan;
  readonly sent: readonly ScannedFile[];
}

/** Makes a folder of a commit like one of this machine, and prints what it came to. */
export async function syncFolder(sending: Sending, sync: Sync): Promise<void> {
  const { client, context } = sending;
  const { repo, target, path } = sync;
  const cache = new SyncCache(context, [resolve(sync.folder), repo, path]);
  const lookedMs = context.deps.clock.nowMicros() / 1_000;
  const scanned = await scanAll(sending, sync);
  const head = await headOf(sending, sync);
  const there = { client, commit: { repo, id: head ?? target }, path };
  const here = { context, scanned, memory: await cache.read(), isExact: sync.deletes };
  if (head !== undefined && (await areAsRemembered(there, here))) {
    const unchanged = scanned.size;
    const plan = { added: [], replaced: [], deleted: [], deletedFiles: 0, unchanged };
    context.print(`${summaryOf({ sync, plan, sent: [] }, undefined)}\n`);
    return;
  }
  const compared =
    head === undefined
      ? {
          rootDigest: undefined,
          remote: new Set<string>(),
          same: new Set<string>(),
          known: new Map<string, string>(),
        }
      : await compareSides(there, here);
  const local = new Map([...scanned.keys()].map((below) => [below, compared.same.has(below)]));
  const plan = planSync({ local, remote: compared.remote, deletes: sync.deletes });
  const sent = [...plan.added, ...plan.replaced].map((below) => scanned.get(below)!);
  const isChanged = sent.length > 0 || plan.deleted.length > 0;
  const made = isChanged ? await apply(sending, { sync, plan, sent }) : undefined;
  const was = { head, rootDigest: compared.rootDigest };
  const rootDigest = await sureDigest(there, was, { made, isChanged });
  if (rootDigest !== undefined)
    await cache.write({
      rootDigest,
      isExact: sync.deletes || [...compared.remote].every((below) => scanned.has(below)),
      files: rememberedFiles(scanned, compared, lookedMs),
    });
  context.print(`${summaryOf({ sync, plan, sent }, made)}\n`);
}

/** The digest of the folder that is now like ours; undefined where others may have written meanwhile. */
async function sureDigest(
  there: There,
  was: { readonly head: string | undefined; readonly rootDigest: string | undefined },
  { made, isChanged }: { readonly made: CommitInfo | undefined; readonly isChanged: boolean },
): Promise<string | undefined> {
  if (isChanged && (made === undefined || made.parent !== was.head)) return undefined;
  const digest = await folderDigest({ ...there, commit: made ?? there.commit });
  return isChanged || digest === was.rootDigest ? digest : undefined;
}

async function scanAll({ context }: Sending, { folder }: Sync): Promise<Map<string, ScannedFile>> {
  const files = new Map<string, ScannedFile>();
  for await (const some of scanFolder(resolve(folder))) {
    context.signal.throwIfAborted();
    for (const file of some) files.set(parsePath(file.below), file);
  }
  return files;
}

/** The commit to compare with: of a branch its newest; undefined when it has none. */
async function headOf(
  { client }: Sending,
  { repo, target, asCommit }: Sync,
): Promise<string | undefined> {
  try {
    return (await client.commits.inspect({ repo, id: target })).id;
  } catch (error) {
    if (!asCommit || !isCoded(error, "not_found")) throw error;
    // It is the repo that may not be there.
    await client.repos.inspect(repo);
    return undefined;
  }
}

/** Gives back the finished commit when it was made for this, and undefined when others write into it too. */
async function apply(sending: Sending, change: Change): Promise<CommitInfo | undefined> {
  const { client, context } = sending;
  const { repo, target, asCommit } = change.sync;
  if (!asCommit) {
    await applyTo(sending, change, { repo, id: target });
    return undefined;
  }
  if (change.plan.deleted.length === 0) {
    const branch = { repo, branch: target };
    return await send(sending, change, ["branch", repo, target], (files, options) =>
      client.uploads.sendFilesCommit(branch, files, options),
    );
  }
  const commit = await client.commits.start(repo, target);
  return await orCancelled(sending, commit, async () => {
    await applyTo(sending, change, commit);
    sending.progress?.close();
    return await client.commits.finish(commit, {
      onWait: (message) => {
        context.note(message);
      },
    });
  });
}

async function applyTo(sending: Sending, change: Change, commit: CommitName): Promise<void> {
  const { client } = sending;
  const { path } = change.sync;
  for (const below of change.plan.deleted)
    await client.files.delete(commit, joinPath(path, parsePath(below)));
  if (change.sent.length === 0) return;
  await send(sending, change, ["commit", commit.repo, commit.id], (files, options) =>
    client.uploads.sendFiles(commit, files, options),
  );
}

async function send<T>(
  sending: Sending,
  { sync, sent }: Change,
  target: readonly string[],
  call: SendCall<T>,
): Promise<T> {
  const { fileSystem } = sending.context.deps;
  const facts = ["sync", ...target, resolve(sync.folder), sync.path];
  const files = sent.map(({ below, local, sizeBytes, stamp }): SentFile => {
    const open = (offsetBytes: number): AsyncIterable<Uint8Array> =>
      readLocal(fileSystem, local, sizeBytes, offsetBytes);
    const counted = sending.progress?.counted(open) ?? open;
    const path = joinPath(sync.path, parsePath(below));
    return { path, sizeBytes, version: stamp, local, open: counted };
  });
  if (sending.progress !== undefined)
    sending.progress.totals = { files: sent.length, bytes: bytesOf(sent) };
  return await sendFilesAs({ ...sending, overwrite: true }, facts, files, call);
}

function bytesOf(files: readonly ScannedFile[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function summaryOf({ sync, plan, sent }: Change, made: CommitInfo | undefined): string {
  const { added, replaced, deletedFiles, unchanged } = plan;
  const what = `${added.length} added, ${replaced.length} replaced, ${deletedFiles} deleted, ${unchanged} unchanged`;
  if (sent.length === 0 && deletedFiles === 0) return `Nothing to put: ${what}`;
  return `${sync.repo}/${made?.id ?? sync.target}: ${what}; put ${formatBytes(bytesOf(sent))}`;
}
