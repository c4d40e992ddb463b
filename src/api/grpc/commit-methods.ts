import { CodedError } from "../../base/errors.ts";
import type { CommitName } from "../../model/commit.ts";
import { localPrincipal } from "../../model/principal.ts";
import {
  archiveCommits,
  cancelCommit,
  finishCommit,
  flushCommits,
  inspectCommit,
  listBranches,
  listCommits,
  replayCommits,
  squashCommits,
  startCommit,
  type PfsDeps,
} from "../../pfs/index.ts";
import { foreverMs } from "./forever.ts";
import { type API, CommitStatus, CommitType, type Commit } from "./gen/pfs_pb.ts";
import type { Handlers } from "./grpc-service.ts";
import { commitInfoMessage, commitMessage, commitNameOf } from "./messages.ts";

type CommitMethods =
  | "startCommit"
  | "forkCommit"
  | "finishCommit"
  | "archiveCommit"
  | "inspectCommit"
  | "listCommit"
  | "deleteCommit"
  | "flushCommit"
  | "listBranch"
  | "squashCommit"
  | "replayCommit";

/** The methods of `pfs.API` on commits and branches. */
export function commitMethods(pfs: PfsDeps): Pick<Handlers<typeof API>, CommitMethods> {
  return {
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
      const classic = "DeleteCommit is not implemented";
      throw new CodedError("unimplemented", classic, { details: { classic } });
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
      const show = statusOf(status) === "NORMAL" ? "live head" : "all";
      return { branches: await listBranches(pfs, localPrincipal, { repo: name, show }) };
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
