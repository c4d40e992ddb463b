import { CodedError } from "../../base/errors.ts";
import type { CommitName } from "../../model/commit.ts";
import { localPrincipal } from "../../model/principal.ts";
import type { Shard as ShardQuery } from "../../model/shard.ts";
import {
  archiveAll,
  archiveCommits,
  cancelCommit,
  createRepo,
  deleteAllRepos,
  deleteFile,
  deleteRepo,
  finishCommit,
  flushCommits,
  inspectCommit,
  inspectFile,
  inspectRepo,
  listBranches,
  listCommits,
  listFiles,
  listRepos,
  openFile,
  replayCommits,
  squashCommits,
  startCommit,
  type PfsDeps,
  type ViewQuery,
} from "../../pfs/index.ts";
import type { OpenBucket } from "../http/fetch-source.ts";
import {
  type API,
  CommitStatus,
  CommitType,
  ListFileMode,
  type Commit,
  type DiffMethod,
  type ListFileRequest,
  type Shard,
} from "./gen/pfs_pb.ts";
import type { Handlers } from "./grpc-service.ts";
import {
  commitInfoMessage,
  commitMessage,
  commitNameOf,
  fileInfoMessage,
  fileOf,
  repoInfoMessage,
} from "./messages.ts";
import { putStream } from "./put-stream.ts";

/** Long enough to be for ever: the caller's connection ends first. */
const foreverMs = 365 * 24 * 3_600_000;
/** A listing comes in one message, whatever its length. */
const listPage = 10_000;

/** `pfs.API` of the 1.2 series over pfs; without rules of its own. */
export function pfsService(pfs: PfsDeps, openBucket: OpenBucket): Handlers<typeof API> {
  return {
    async createRepo({ repo, provenance }) {
      await createRepo(pfs, localPrincipal, {
        name: repo?.name ?? "",
        provenance: provenance.map(({ name }) => name),
      });
      return {};
    },
    inspectRepo: async ({ repo }) =>
      repoInfoMessage(await inspectRepo(pfs, localPrincipal, repo?.name ?? "")),
    async listRepo({ provenance }) {
      const names = provenance.map(({ name }) => name);
      const repos = await listRepos(pfs, localPrincipal, names);
      return { repoInfo: repos.map((info) => repoInfoMessage({ ...info, provenance: [] })) };
    },
    async deleteRepo({ repo, force }) {
      await deleteRepo(pfs, localPrincipal, { name: repo?.name ?? "", force });
      return {};
    },
    async startCommit({ parent, provenance }) {
      const { repo, id } = commitNameOf(parent);
      const started = { repo, parent: id, provenance: namesOf(provenance) };
      return commitMessage(await startCommit(pfs, localPrincipal, started));
    },
    async forkCommit({ parent, branch, provenance }) {
      const { repo, id } = commitNameOf(parent);
      const forked = { repo, parent: id, fork: branch, provenance: namesOf(provenance) };
      return commitMessage(await startCommit(pfs, localPrincipal, forked));
    },
    async finishCommit({ commit, cancel }, { signal }) {
      const name = commitNameOf(commit);
      if (cancel) await cancelCommit(pfs, localPrincipal, name);
      else await finishCommit(pfs, localPrincipal, { commit: name, waitMs: foreverMs, signal });
      return {};
    },
    async archiveCommit({ commits }) {
      await archiveCommits(pfs, localPrincipal, namesOf(commits));
      return {};
    },
    inspectCommit: async ({ commit }) =>
      commitInfoMessage(await inspectCommit(pfs, localPrincipal, commitNameOf(commit))),
    async listCommit(request, { signal }) {
      const commits = await listCommits(pfs, localPrincipal, {
        include: namesOf(request.include),
        exclude: namesOf(request.exclude),
        provenance: namesOf(request.provenance),
        type: typeOf(request.commitType),
        status: statusOf(request.status),
        block: request.block,
        signal,
      });
      return { commitInfo: commits.map(commitInfoMessage) };
    },
    async deleteCommit() {
      throw new CodedError("unimplemented", "DeleteCommit is not implemented");
    },
    async flushCommit({ commit, toRepo }, { signal }) {
      const { commits } = await flushCommits(pfs, localPrincipal, {
        commits: namesOf(commit),
        toRepos: toRepo.map(({ name }) => name),
        waitMs: foreverMs,
        signal,
      });
      return { commitInfo: commits.map(commitInfoMessage) };
    },
    async listBranch({ repo, status }) {
      const name = repo?.name ?? "";
      const all = statusOf(status) !== "NORMAL";
      return { branches: await listBranches(pfs, localPrincipal, { repo: name, all }) };
    },
    async squashCommit({ fromCommits, toCommit }) {
      const squashed = { from: namesOf(fromCommits), to: commitNameOf(toCommit) };
      await squashCommits(pfs, localPrincipal, squashed);
      return {};
    },
    async replayCommit({ fromCommits, toBranch }, { signal }) {
      const replayed = { from: namesOf(fromCommits), branch: toBranch, signal };
      const copies = await replayCommits(pfs, localPrincipal, replayed);
      return { commit: copies.map(commitMessage) };
    },
    async putFile(requests, { signal }) {
      await putStream(pfs, requests, { openBucket, signal });
      return {};
    },
    async *getFile({ file, offsetBytes, sizeBytes, shard, diffMethod }, { signal }) {
      const request = { ...fileOf(file), query: viewOf(shard, diffMethod) };
      const opened = await openFile(pfs, localPrincipal, request);
      const start = Number(offsetBytes);
      const end = sizeBytes === 0n ? opened.bytes : start + Number(sizeBytes);
      const range = { start: Math.min(start, opened.bytes), end: Math.min(end, opened.bytes) };
      for await (const value of opened.read(range, signal)) yield { value };
    },
    async inspectFile({ file, shard, diffMethod }) {
      const { commit, path } = fileOf(file);
      const request = { commit, path, query: viewOf(shard, diffMethod) };
      return fileInfoMessage(await inspectFile(pfs, localPrincipal, request), commit);
    },
    listFile: async (request) => ({ fileInfo: await listAll(pfs, request) }),
    async deleteFile({ file }) {
      await deleteFile(pfs, localPrincipal, fileOf(file));
      return {};
    },
    async deleteAll() {
      await deleteAllRepos(pfs, localPrincipal);
      return {};
    },
    async archiveAll() {
      await archiveAll(pfs, localPrincipal);
      return {};
    },
  };
}

function namesOf(commits: readonly Commit[]): CommitName[] {
  return commits.map(commitNameOf);
}

function typeOf(type: CommitType): "NONE" | "READ" | "WRITE" {
  if (type === CommitType.READ) return "READ";
  return type === CommitType.WRITE ? "WRITE" : "NONE";
}

function statusOf(status: CommitStatus): "NORMAL" | "ARCHIVED" | "CANCELLED" | "ALL" {
  if (status === CommitStatus.ARCHIVED) return "ARCHIVED";
  if (status === CommitStatus.CANCELLED) return "CANCELLED";
  return status === CommitStatus.ALL ? "ALL" : "NORMAL";
}

function viewOf(shard: Shard | undefined, diff: DiffMethod | undefined): ViewQuery {
  const from = diff?.fromCommit?.id ?? "";
  return {
    ...(from === "" ? {} : { from, fullFile: diff?.fullFile ?? false }),
    ...(shard === undefined ? {} : { shard: shardOf(shard) }),
  };
}

function shardOf(shard: Shard): ShardQuery {
  return {
    fileNumber: Number(shard.fileNumber),
    fileModulus: Math.max(1, Number(shard.fileModulus)),
    blockNumber: Number(shard.blockNumber),
    blockModulus: Math.max(1, Number(shard.blockModulus)),
  };
}

/** Directories have no size, unless everything below is asked for; with FAST nothing has one. */
async function listAll(
  pfs: PfsDeps,
  { file, shard, diffMethod, mode }: ListFileRequest,
): Promise<ReturnType<typeof fileInfoMessage>[]> {
  const isFast = mode === ListFileMode.ListFile_FAST;
  const recurse = mode === ListFileMode.ListFile_RECURSE;
  if (isFast && (shard?.blockModulus ?? 0n) > 1n)
    throw new CodedError(
      "invalid_argument",
      "the FAST mode of ListFile does not support block shards",
    );
  const { commit, path } = fileOf(file);
  const messages: ReturnType<typeof fileInfoMessage>[] = [];
  for (let after: string | undefined; ;) {
    const query = {
      ...viewOf(shard, diffMethod),
      recurse,
      limit: listPage,
      ...(after === undefined ? {} : { after }),
    };
    const page = await listFiles(pfs, localPrincipal, { commit, path, query });
    for (const info of page.files) {
      const hasSize = !isFast && (info.type === "file" || recurse);
      messages.push(fileInfoMessage(hasSize ? info : { ...info, sizeBytes: 0 }, commit));
    }
    if (page.next === undefined) return messages;
    after = page.next;
  }
}
