import type { ViewFile } from "../../model/claimed-task.ts";
import { CodedError } from "../../base/errors.ts";
import { quote } from "../../base/quote.ts";
import { Refusal } from "../refusal.ts";
import { nameBytesMax } from "../volume.ts";
import type { ShownView } from "./shown-view.ts";
import type { ViewNode, ViewNodes } from "./view-nodes.ts";

/** Names that are asked for, and held, at a time. */
const pageCount = 500;

/** The names of one directory, as one program reads them. */
export class OpenNames {
  private readonly nodes: ViewNodes;
  private readonly directory: ViewNode;
  private page: readonly ViewFile[] = [];
  /** Where the page begins, counted from the first name. */
  private pageStart = 0;
  private last: string | undefined;
  private isOver = false;

  constructor(nodes: ViewNodes, directory: ViewNode) {
    this.nodes = nodes;
    this.directory = directory;
  }

  /** The node of the name at a place, 0 being the first; undefined behind the last. @throws Refusal */
  async at(position: number, signal: AbortSignal): Promise<ViewNode | undefined> {
    if (position < this.pageStart) this.rewind();
    while (position >= this.pageStart + this.page.length) {
      if (this.isOver) return undefined;
      await this.next(signal);
    }
    const file = this.page[position - this.pageStart]!;
    return this.nodes.add(this.directory, nameOf(file), file);
  }

  private rewind(): void {
    this.page = [];
    this.pageStart = 0;
    this.last = undefined;
    this.isOver = false;
  }

  private async next(signal: AbortSignal): Promise<void> {
    const { view, file } = this.directory;
    // Which views there are is nobody's business.
    if (view === undefined) throw new Refusal("EACCES");
    const files = await pageOf(view, { directory: file.path, after: this.last }, signal);
    const last = files.at(-1);
    this.pageStart += this.page.length;
    this.last = last === undefined ? undefined : nameOf(last);
    this.isOver = files.length < pageCount;
    this.page = files;
  }
}

/** Everything that lies directly in a directory, in the order of names, a page at a time. @throws Refusal */
export async function* filesIn(
  view: ShownView,
  directory: string,
  signal: AbortSignal,
): AsyncGenerator<ViewFile, void, void> {
  let after: string | undefined;
  for (;;) {
    const files = await pageOf(view, { directory, after }, signal);
    yield* files;
    const last = files.at(-1);
    if (last === undefined || files.length < pageCount) return;
    after = nameOf(last);
  }
}

async function pageOf(
  view: ShownView,
  { directory, after }: { readonly directory: string; readonly after: string | undefined },
  signal: AbortSignal,
): Promise<readonly ViewFile[]> {
  const files = await view.list({ directory, after, count: pageCount }, signal);
  const tooLong = files.find((found) => Buffer.byteLength(nameOf(found)) > nameBytesMax);
  // Staged, it would fail the task too; without it a command would take what it sees for all there is.
  if (tooLong !== undefined)
    throw view.refusal(`list ${quote(directory)}`, tooLongError(nameOf(tooLong)));
  return files;
}

/** The last part of its path. */
export function nameOf({ path }: ViewFile): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function tooLongError(name: string): CodedError {
  return new CodedError(
    "failed_precondition",
    `the name ${quote(name)} has more than ${nameBytesMax} bytes. Rename it, or leave it out`,
  );
}
