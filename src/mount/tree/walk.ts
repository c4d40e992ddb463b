import type { FilePages } from "../../client/index.ts";
import type { FileInfo } from "../../model/file.ts";
import { keyOfPath } from "../../model/paths.ts";

/** More is brought while less than so many entries wait to be taken. */
const waitingMin = 6_000;
/** Pages that are waited for until a directory is whole: one with more below it is asked for by itself. */
const pagesMax = 2;

/** What comes of a commit after a directory, in the order of its keys, as lists of directories. */
export class Walk {
  private readonly pages: FilePages;
  /** What has come of directories, in the order of their keys; those that were passed are gone. */
  private readonly lists = new Map<string, FileInfo[]>();
  private waiting = 0;
  /** The path that came last. */
  private last: string;
  private isOver = false;
  private coming: Promise<void> | undefined;

  /** @param pages everything in the commit that comes after the directory `start` */
  constructor(start: string, pages: FilePages) {
    this.pages = pages;
    this.last = start;
    this.lists.set(start, []);
  }

  /** All that is directly in a directory; undefined when it was passed, is far away, or has much below it. */
  async take(path: string): Promise<readonly FileInfo[] | undefined> {
    for (let pages = 0; ; pages++) {
      const list = this.lists.get(path);
      if (list !== undefined && this.isWhole(path)) {
        this.pass(path);
        if (this.waiting < waitingMin) void this.bring();
        return list;
      }
      const isNear = list !== undefined || (this.coming !== undefined && this.isBefore(path));
      if (this.isOver || !isNear || pages === pagesMax) {
        if (list !== undefined) this.pass(path);
        return undefined;
      }
      await this.bring();
    }
  }

  private isWhole(path: string): boolean {
    return this.isOver || !(this.last === path || this.last.startsWith(`${path}/`));
  }

  /** Whether a path is yet to come. */
  private isBefore(path: string): boolean {
    return Buffer.compare(keyOfPath(this.last), keyOfPath(path)) < 0;
  }

  /** Who walks does not come back to what is before a directory. */
  private pass(path: string): void {
    for (const [directory, { length }] of this.lists) {
      this.lists.delete(directory);
      this.waiting -= length;
      if (directory === path) return;
    }
  }

  /** Waits for one more page; never throws: whoever misses what does not come asks for it. */
  private async bring(): Promise<void> {
    if (this.isOver) return;
    this.coming ??= this.bringPage()
      .catch(() => {
        this.isOver = true;
      })
      .finally(() => {
        this.coming = undefined;
      });
    await this.coming;
  }

  private async bringPage(): Promise<void> {
    const page = await this.pages.next();
    this.isOver = page === undefined;
    for (const info of page ?? []) {
      const { path, type } = info;
      const list = this.lists.get(path.slice(0, Math.max(0, path.lastIndexOf("/"))));
      if (list !== undefined) {
        list.push(info);
        this.waiting++;
      }
      if (type === "dir") this.lists.set(path, []);
      this.last = path;
    }
  }
}
