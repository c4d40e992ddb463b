import type { Client, FilePages } from "../../client/index.ts";
import type { CommitName } from "../../model/commit.ts";
import type { FileInfo } from "../../model/file.ts";
import type { Shard } from "../../model/shard.ts";
import type { Remote } from "./remote.ts";
import { Walk } from "./walk.ts";

/** Walks that go on at a time; of more, the one that was not used for longest ends. */
const walksMax = 4;
/** Entries that one request of a walk brings. */
const pageEntries = 4_000;

const noSignal = new AbortController().signal;

/**
 * Lists of directories that who goes through a tree will want next. Each would be a request, and `find` asks for one after
 * the other; here one request brings everything below many of them. Only of commits that have finished.
 */
export class WalkAhead {
  private readonly deps: { client: Client; remote: Remote; shard: Shard };
  /** The one that was used last comes last. */
  private walks: { readonly commit: string; readonly walk: Walk }[] = [];
  /** Where directories were asked for in vain: of the next one beside them it is known that somebody walks. */
  private missed: string[] = [];

  constructor(deps: { client: Client; remote: Remote; shard: Shard }) {
    this.deps = deps;
  }

  /** All that is directly in a directory, when it was brought; undefined when it is to be asked for. */
  async take(name: CommitName, path: string): Promise<readonly FileInfo[] | undefined> {
    const commit = `${name.repo}/${name.id}`;
    for (const one of this.walks) {
      const list = one.commit === commit ? await one.walk.take(path) : undefined;
      if (list === undefined) continue;
      this.walks = [...this.walks.filter((other) => other !== one), one];
      return list;
    }
    if (path === "" || !this.isWalked(`${commit}/${path}`)) return undefined;
    const walk = new Walk(path, this.pagesAfter(name, path));
    this.walks = [...this.walks, { commit, walk }].slice(-walksMax);
    return await walk.take(path);
  }

  /** Whether a directory beside this one was missed before. */
  private isWalked(path: string): boolean {
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (this.missed.includes(parent)) return true;
    this.missed = [...this.missed, parent].slice(-walksMax);
    return false;
  }

  private pagesAfter(commit: CommitName, path: string): FilePages {
    const { client, remote, shard } = this.deps;
    const options = { shard, recurse: true, after: path, pageEntries };
    const pages = client.files.listPages(commit, "", options);
    const what = `list what comes after ${path} of ${commit.repo}/${commit.id}`;
    return { next: () => remote.ask(what, noSignal, () => pages.next()) };
  }
}
