import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { CommitInfo, CommitName } from "../../model/commit.ts";
import type { FileInfo } from "../../model/file.ts";
import type { RepoInfo } from "../../model/repo.ts";
import {
  CommitType,
  FileType,
  type Commit,
  type CommitInfoSchema,
  type CommitSchema,
  type File,
  type FileInfoSchema,
  type RepoInfoSchema,
} from "./gen/pfs_pb.ts";

// What the wire calls things, and what we do. Numbers of 64 bits are ours within 2^53.

/** Microseconds since 1970, as the wire has them. */
export function timestampOf(micros: number): Pick<Timestamp, "seconds" | "nanos"> {
  const seconds = Math.floor(micros / 1_000_000);
  return { seconds: BigInt(seconds), nanos: (micros - seconds * 1_000_000) * 1_000 };
}

export function commitNameOf(commit: Commit | undefined): CommitName {
  return { repo: commit?.repo?.name ?? "", id: commit?.id ?? "" };
}

export function commitMessage({ repo, id }: CommitName): MessageInitShape<typeof CommitSchema> {
  return { repo: { name: repo }, id };
}

export function repoInfoMessage(info: RepoInfo): MessageInitShape<typeof RepoInfoSchema> {
  return {
    repo: { name: info.name },
    created: timestampOf(info.createdMicros),
    sizeBytes: BigInt(info.sizeBytes),
    provenance: info.provenance.map((name) => ({ name })),
  };
}

export function commitInfoMessage(info: CommitInfo): MessageInitShape<typeof CommitInfoSchema> {
  const isOpen = info.state === "open" || info.state === "closing";
  return {
    commit: commitMessage(info),
    branch: info.branch,
    commitType: isOpen ? CommitType.WRITE : CommitType.READ,
    ...(info.parent === undefined
      ? {}
      : { parentCommit: commitMessage({ repo: info.repo, id: info.parent }) }),
    started: timestampOf(info.startedMicros),
    ...(info.finishedMicros === undefined ? {} : { finished: timestampOf(info.finishedMicros) }),
    sizeBytes: BigInt(info.sizeBytes),
    cancelled: info.state === "cancelled",
    archived: info.archived,
    provenance: info.provenance.map(commitMessage),
  };
}

/** @param commit as the request named it: that is what the answer repeats */
export function fileInfoMessage(
  info: FileInfo,
  commit: CommitName,
): MessageInitShape<typeof FileInfoSchema> {
  return {
    file: fileMessage(commit, info.path),
    fileType: info.type === "dir" ? FileType.DIR : FileType.REGULAR,
    sizeBytes: BigInt(info.sizeBytes),
    modified: timestampOf(info.modifiedMicros),
    commitModified: commitMessage(info.commitModified),
    children: (info.children ?? []).map((name) => fileMessage(commit, `${info.path}/${name}`)),
  };
}

/** Paths on the wire begin with a slash. */
function fileMessage(
  commit: CommitName,
  path: string,
): { commit: ReturnType<typeof commitMessage>; path: string } {
  return { commit: commitMessage(commit), path: `/${path}` };
}

export function fileOf(file: File | undefined): { commit: CommitName; path: string } {
  return { commit: commitNameOf(file?.commit), path: file?.path ?? "" };
}
