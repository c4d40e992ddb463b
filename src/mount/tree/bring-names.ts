import type { Client } from "../../client/index.ts";
import type { Clock } from "../../base/clock.ts";
import type { CommitName } from "../../model/commit.ts";
import type { Shard } from "../../model/shard.ts";
import { Refusal } from "../refusal.ts";
import { namesMax, type KnownNames } from "./known-names.ts";
import { pathOf, type FolderNode } from "./node.ts";
import type { Remote } from "./remote.ts";

/** Asks for all names of directories of open commits; then only for those that came since. */
export class BringNames {
  private readonly deps: { client: Client; clock: Clock; remote: Remote; shard: Shard };
  private readonly names: KnownNames;
  /** Those who look up names at the same time wait for the same answer. */
  private readonly coming = new Map<FolderNode, Promise<void>>();

  constructor(
    deps: { client: Client; clock: Clock; remote: Remote; shard: Shard },
    names: KnownNames,
  ) {
    this.deps = deps;
    this.names = names;
  }

  /** Never throws but for an interrupt: what does not come is not known. */
  async bring(folder: FolderNode, commit: CommitName, signal: AbortSignal): Promise<void> {
    let coming = this.coming.get(folder);
    if (coming === undefined) {
      coming = this.ask(folder, commit, signal)
        .catch(() => undefined)
        .finally(() => {
          this.coming.delete(folder);
        });
      this.coming.set(folder, coming);
    }
    await coming;
    if (signal.aborted) throw new Refusal("EINTR");
  }

  private async ask(folder: FolderNode, commit: CommitName, signal: AbortSignal): Promise<void> {
    const { client, clock, remote, shard } = this.deps;
    const { repo, id } = commit;
    const path = pathOf(folder);
    const name = `${repo}/${id}`;
    const atMs = clock.monotonicMs();
    const after = this.names.nextOf(folder, name);
    const from = after === undefined ? {} : { after };
    // Before the list: what comes meanwhile is told the next time.
    const { paths, next, isCut } = await remote.ask(`look at what is new in ${name}`, signal, () =>
      client.files.writes(commit, { ...from, signal }),
    );
    if (after !== undefined && !isCut) {
      this.names.extend(folder, namesBelow(path, paths), { next, atMs });
      return;
    }
    const pages = client.files.listPages(commit, path, { shard, pageEntries: namesMax, signal });
    const page = (await remote.ask(`list ${path} of ${name}`, signal, () => pages.next())) ?? [];
    const names = new Set([
      ...namesBelow(
        path,
        page.map((info) => info.path),
      ),
      // What was made here meanwhile need not be in that list.
      ...(folder.children?.keys() ?? []),
    ]);
    const brought = { commit: name, names, next, atMs };
    this.names.bring(folder, page.length < namesMax ? brought : undefined);
  }
}

/** What a directory has of paths: their names in it, those of directories too. */
function* namesBelow(directory: string, paths: readonly string[]): Generator<string, void, void> {
  const start = directory === "" ? 0 : directory.length + 1;
  for (const path of paths) {
    if (start > 0 && !path.startsWith(`${directory}/`)) continue;
    const end = path.indexOf("/", start);
    yield end < 0 ? path.slice(start) : path.slice(start, end);
  }
}
