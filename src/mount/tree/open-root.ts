import type { Clock } from "../../base/clock.ts";
import type { Client } from "../../client/index.ts";
import { parseCommitId } from "../../model/commit.ts";
import type { What } from "./node.ts";
import type { Remote } from "./remote.ts";
import { Tree } from "./tree.ts";

/**
 * What stands at the top of a mount: all repos, or one repo, branch or commit alone.
 *
 * @throws CodedError `not_found`, `unavailable`
 */
export async function openRoot(
  only: { readonly repo: string; readonly id?: string } | undefined,
  deps: { client: Client; clock: Clock; remote: Remote },
): Promise<What> {
  if (only === undefined) {
    await deps.client.version();
    return { type: "root" };
  }
  const { repo, id } = only;
  if (id === undefined) {
    const { createdMicros, sizeBytes } = await deps.client.repos.inspect(repo);
    return { type: "repo", repo, info: { modifiedMicros: createdMicros, sizeBytes } };
  }
  const info = await deps.client.commits.inspect({ repo, id });
  const follows = parseCommitId(id) === undefined;
  const tree = new Tree({ repo, id: follows ? info.branch : info.id }, follows, deps);
  const { isFinal } = tree.note(info);
  const modifiedMicros = info.finishedMicros ?? info.startedMicros;
  return { type: "top", tree, info: { sizeBytes: 0, modifiedMicros }, isFinal };
}
