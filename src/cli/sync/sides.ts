import { isCoded } from "../../base/errors.ts";
import type { Client } from "../../client/index.ts";
import type { ScannedFile } from "../../localfiles/index.ts";
import type { CommitName } from "../../model/commit.ts";
import type { FilePath } from "../../model/paths.ts";
import type { Context } from "../context.ts";
import type { SyncMemory } from "./sync-cache.ts";

/** Files are asked about one by one up to so many; beyond that, all are listed. */
const askedMax = 64;
const pageEntries = 10_000;

/** A folder of a commit. */
export interface There {
  readonly client: Client;
  readonly commit: CommitName;
  readonly path: FilePath;
}

/** How the folder of a commit compares with files of this machine. */
export interface Compared {
  /** Of the folder; undefined when there is none. */
  readonly rootDigest: string | undefined;
  /** Paths of all its files. */
  readonly remote: ReadonlySet<string>;
  /** Those that are the same here. */
  readonly same: ReadonlySet<string>;
  /** Digests of files here, as far as they are known now. */
  readonly known: ReadonlyMap<string, string>;
}

interface Here {
  readonly context: Context;
  readonly scanned: ReadonlyMap<string, ScannedFile>;
  readonly memory: SyncMemory | undefined;
  /** Whether what is there and not here matters. */
  readonly isExact: boolean;
}

/**
 * Compares files of this machine with a folder of a commit, by digest. Files that are as they were when the
 * folders were alike are not read, and a folder of the commit that is as it was then is not listed.
 */
export async function compareSides(there: There, here: Here): Promise<Compared> {
  const rootDigest = await folderDigest(there);
  if (rootDigest === undefined)
    return { rootDigest, remote: new Set(), same: new Set(), known: new Map() };
  const remembered = await asRemembered(there, here, rootDigest);
  const digests = remembered ?? (await listed(there));
  return { rootDigest, remote: new Set(digests.keys()), ...(await compareFiles(here, digests)) };
}

/** Whether both are as they were when they were alike: then nothing need be compared. */
export async function areAsRemembered(
  there: There,
  { memory, scanned, isExact }: Here,
): Promise<boolean> {
  if (!isOfUse(memory, isExact) || memory.files.size !== scanned.size) return false;
  for (const [below, { stamp }] of scanned)
    if (memory.files.get(below)?.stamp !== stamp) return false;
  return (await folderDigest(there)) === memory.rootDigest;
}

/** Where nobody told the digest of the folder, what is remembered of it says nothing. */
function isOfUse(memory: SyncMemory | undefined, isExact: boolean): memory is SyncMemory {
  return memory !== undefined && memory.rootDigest !== "" && (memory.isExact || !isExact);
}

/** The digest of a folder of a commit: undefined when there is none, "" where nobody tells. */
export async function folderDigest({ client, commit, path }: There): Promise<string | undefined> {
  try {
    const { digest, type } = await client.files.inspect(commit, path, { bare: true });
    return type === "dir" ? digest : "";
  } catch (error) {
    if (isCoded(error, "not_found")) return undefined;
    throw error;
  }
}

/** The files there by what is remembered of them: for those that changed here with their digests. */
async function asRemembered(
  { client, commit, path }: There,
  { memory, scanned, isExact }: Here,
  rootDigest: string,
): Promise<Map<string, string> | undefined> {
  if (!isOfUse(memory, isExact) || memory.rootDigest !== rootDigest) return undefined;
  const digests = new Map([...memory.files].map(([below, { digest }]) => [below, digest]));
  const asked = [...scanned].filter(([below, { stamp }]) => {
    const file = memory.files.get(below);
    return file !== undefined && file.stamp !== stamp && file.digest === "";
  });
  if (asked.length > askedMax) return undefined;
  for (const [below] of asked) {
    const file = path === "" ? below : `${path}/${below}`;
    digests.set(below, (await client.files.inspect(commit, file)).digest);
  }
  return digests;
}

async function listed({ client, commit, path }: There): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  const skipped = path === "" ? 0 : path.length + 1;
  for await (const file of client.files.list(commit, path, { recurse: true, pageEntries }))
    if (file.type === "file") digests.set(file.path.slice(skipped), file.digest);
  return digests;
}

/** @param digests of the files there; "" for one that is as it was when the folders were alike */
async function compareFiles(
  { context, scanned, memory }: Here,
  digests: ReadonlyMap<string, string>,
): Promise<Pick<Compared, "same" | "known">> {
  const same = new Set<string>();
  const known = new Map<string, string>();
  const unknown: { below: string; path: string; local: string }[] = [];
  for (const [below, { stamp, local }] of scanned) {
    const file = memory?.files.get(below);
    const isUnchanged = file !== undefined && file.stamp !== "" && file.stamp === stamp;
    if (isUnchanged && file.digest !== "") known.set(below, file.digest);
    const digest = digests.get(below);
    if (digest === undefined) continue;
    if (isUnchanged && file.digest === digest) same.add(below);
    else if (!isUnchanged || file.digest === "") unknown.push({ below, path: below, local });
  }
  if (unknown.length === 0) return { same, known };
  const maker = await context.deps.localDigests();
  try {
    let next = 0;
    for await (const digest of maker.of(unknown, context.signal)) {
      const { below } = unknown[next++]!;
      known.set(below, digest);
      if (digest === digests.get(below)) same.add(below);
    }
  } finally {
    await maker.close();
  }
  return { same, known };
}
