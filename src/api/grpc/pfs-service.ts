import { localPrincipal } from "../../model/principal.ts";
import {
  archiveCommits,
  createRepo,
  deleteAllRepos,
  deleteRepo,
  inspectRepo,
  listRepos,
  type PfsDeps,
} from "../../pfs/index.ts";
import type { OpenBucket } from "../../model/source-bucket.ts";
import { commitMethods } from "./commit-methods.ts";
import { fileMethods } from "./file-methods.ts";
import type { API } from "./gen/pfs_pb.ts";
import type { Handlers } from "./grpc-service.ts";
import { repoInfoMessage } from "./messages.ts";

/** `pfs.API` of the 1.2 series over pfs; without rules of its own. */
export function pfsService(pfs: PfsDeps, openBucket: OpenBucket): Handlers<typeof API> {
  return {
    ...commitMethods(pfs),
    ...fileMethods(pfs, openBucket),
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
    async deleteAll() {
      await deleteAllRepos(pfs, localPrincipal);
      return {};
    },
    async archiveAll() {
      await archiveCommits(pfs, localPrincipal, "all");
      return {};
    },
  };
}
