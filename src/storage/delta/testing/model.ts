import type { Content, Entry, NodeSink } from "../../tree/entry.ts";
import { dirAt, entryAt, longContentOf, sorted, tombstoneAt } from "../../tree/testing/entries.ts";
import { ancestorsOf } from "../../../model/paths.ts";

/** What a user does, one path at a time. An empty word is a put of no bytes. */
export type Deed =
  | { readonly do: "put" | "replace"; readonly path: string; readonly word: string }
  | { readonly do: "mkdir"; readonly path: string }
  | { readonly do: "delete"; readonly path: string };

/** A file system as plain as can be: what trees and deltas are compared with. */
export class Model {
  readonly files = new Map<string, string[]>();
  readonly dirs = new Set<string>();

  /** Does it, unless it would make a path both file and directory: then false. */
  does(deed: Deed): boolean {
    if (deed.do === "delete") {
      this.#delete(deed.path);
      return true;
    }
    const others = deed.do === "mkdir" ? this.files : this.dirs;
    if (others.has(deed.path)) return false;
    const ancestors = ancestorsOf(deed.path);
    if (ancestors.some((path) => this.files.has(path))) return false;
    for (const path of ancestors) this.dirs.add(path);
    if (deed.do === "mkdir") this.dirs.add(deed.path);
    else {
      const before = deed.do === "replace" ? [] : (this.files.get(deed.path) ?? []);
      this.files.set(
        deed.path,
        [...before, deed.word].filter((word) => word !== ""),
      );
    }
    return true;
  }

  /** The entries of the root, all with the same time and commit. */
  async entries(sink: NodeSink): Promise<Entry[]> {
    const files = [...this.files].map(async ([path, words]) =>
      entryAt(path, { content: await longContentOf(words, sink) }),
    );
    return sorted([...(await Promise.all(files)), ...[...this.dirs].map((path) => dirAt(path))]);
  }

  #delete(path: string): void {
    const isGone = (other: string): boolean =>
      path === "" || other === path || other.startsWith(`${path}/`);
    for (const other of this.files.keys()) if (isGone(other)) this.files.delete(other);
    for (const other of this.dirs) if (isGone(other)) this.dirs.delete(other);
  }
}

/** A deed as the entry that a request would bring. */
export function entryOf(
  deed: Deed,
  contentOf: (word: string) => Content,
  stamp: Partial<Entry> = {},
): Entry {
  if (deed.do === "delete") return tombstoneAt(deed.path, stamp);
  if (deed.do === "mkdir") return dirAt(deed.path, stamp);
  return entryAt(deed.path, {
    content: contentOf(deed.word),
    reset: deed.do === "replace",
    ...stamp,
  });
}
