import { codedErrorFrom, CodedError } from "../../base/errors.ts";
import type { ViewFile } from "../../model/claimed-task.ts";
import { joinPath } from "../../model/paths.ts";
import { Refusal } from "../refusal.ts";
import type { Range } from "../tree/ranges.ts";
import { filesIn } from "../view/open-names.ts";
import type { ContentChange } from "./output-file.ts";
import type { OutputNode } from "./output-node.ts";
import type { OutputTree } from "./output-tree.ts";

/** A file of an output, with what was done to it. */
export interface WrittenFile {
  /** Its path in the view, when it was inherited. */
  readonly origin: string | undefined;
  /** What was done to what was inherited. */
  readonly change: ContentChange;
  readonly bytes: number;
  readonly inheritedBytes: number;
  read(range: Range): AsyncIterable<Uint8Array>;
}

/** What stands at a path. */
export interface WrittenInfo {
  readonly mode: number;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
}

const readable = 0o500;

/** An output as it stands, looked at without the kernel; paths without leading slash, that of the top is empty. */
export class WrittenOutput {
  /** How programs of this machine name the top. */
  readonly top: string;
  private readonly tree: OutputTree;
  private readonly signal: AbortSignal;

  constructor(tree: OutputTree, top: string, signal: AbortSignal) {
    this.tree = tree;
    this.top = top;
    this.signal = signal;
  }

  /** Names in a directory, in no order: all, or of one that is where it was inherited, those that have changed. */
  async names(path: string, shownAs: string): Promise<string[]> {
    const node = await this.node(path);
    if (path === shownAs && node.origin?.path === path)
      return [...node.children].filter(([, child]) => child.isChanged).map(([name]) => name);
    return await told(async () => {
      const names: string[] = [];
      for await (const { name } of this.tree.list(node, this.signal)) names.push(name);
      return names;
    });
  }

  async lstat(path: string): Promise<WrittenInfo> {
    const { kind, mode } = await this.node(path);
    return {
      // Here nobody asks who may read it.
      mode: mode | readable,
      isFile: () => kind === "file",
      isDirectory: () => kind === "dir",
      isSymbolicLink: () => kind === "link",
      isFIFO: () => kind === "pipe",
      isSocket: () => kind === "socket",
    };
  }

  async readlink(path: string): Promise<string> {
    return (await this.node(path)).target;
  }

  /** The path in the view of what stands at a path; undefined when it was not inherited. */
  async originOf(path: string): Promise<string | undefined> {
    return (await this.node(path)).origin?.path;
  }

  /**
   * What was inherited directly in a directory `path` that now leads to the one at `real`: all of it, or of the very
   * directory that was inherited only those names that lead elsewhere now.
   */
  async inheritedIn(path: string, real: string): Promise<Pick<ViewFile, "path" | "type">[]> {
    const node = await this.node(real);
    if (node.origin?.path === path)
      return [...node.hidden].map(([name, type]) => ({ path: joinPath(path, name), type }));
    return await told(async () => {
      const files: ViewFile[] = [];
      for await (const file of filesIn(this.tree.deps.view, path, this.signal)) files.push(file);
      return files;
    });
  }

  async file(path: string): Promise<WrittenFile> {
    const { origin, file } = await this.node(path);
    const { view } = this.tree.deps;
    const inheritedBytes = origin?.bytes ?? 0;
    const inherited = { origin: origin?.path, inheritedBytes };
    if (file !== undefined)
      return {
        ...inherited,
        change: file.change,
        bytes: file.sizeBytes,
        read: (range) => reading(file.readAll(range, this.signal)),
      };
    return {
      ...inherited,
      change: "none",
      bytes: inheritedBytes,
      read: (range) =>
        reading(origin === undefined ? [] : view.contentOf(origin).fetch(range, this.signal)),
    };
  }

  private async node(path: string): Promise<OutputNode> {
    let at = this.tree.top;
    for (const name of path.split("/")) {
      if (name === "") continue;
      const found = await told(async () => await this.tree.find(at, name, this.signal));
      if (found === undefined) throw new CodedError("not_found", `/pfs/out/${path} is not there`);
      at = found;
    }
    return at;
  }
}

/** A worker is told why, and not what a program would be. */
async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw reasonOf(error);
  }
}

async function* reading(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* pieces;
  } catch (error) {
    throw reasonOf(error);
  }
}

function reasonOf(error: unknown): CodedError {
  return codedErrorFrom(error instanceof Refusal ? (error.cause ?? error) : error);
}
