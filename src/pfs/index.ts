export {
  cancelCommit,
  giveCommitHints,
  inspectCommit,
  listBranches,
  listCommits,
  startCommit,
} from "./commits.ts";
export { deleteFile, putCommit, putFiles, type PutFile } from "./commit-staging.ts";
export { finishByUid, finishCommit, resumeFinishes } from "./finish-commit.ts";
export { fileShardHash } from "./file-shards.ts";
export { inspectFile, listFiles, openFile } from "./files.ts";
export { flushCommits } from "./flush-commit.ts";
export { hashedBlocks, pathShardHash } from "./block-shards.ts";
export { OpenRoots } from "./open-roots.ts";
export { stageOutput, type PathChange } from "./output-staging.ts";
export type { PfsDeps } from "./pfs-deps.ts";
export { readRanges } from "./read-ranges.ts";
export { createRepo, deleteRepo, inspectRepo, listRepos } from "./repos.ts";
export { stageSquash } from "./squash.ts";
export { cancelOutput, finishOutput } from "./output-commits.ts";
export {
  openNamedView,
  openView,
  viewFileDigest,
  type View,
  type ViewEntry,
  type ViewQuery,
  type ViewSpec,
} from "./view.ts";
