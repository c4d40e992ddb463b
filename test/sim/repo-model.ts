/** What a repo with one writer must look like: the reference for the whole product, in a few lines. */
export class RepoModel {
  /** Content by path, of each finished commit. */
  readonly finished = new Map<string, ReadonlyMap<string, string>>();
  readonly cancelled = new Set<string>();
  open: { id: string; files: Map<string, string> } | undefined;
  private head: ReadonlyMap<string, string> = new Map();

  start(id: string): void {
    this.open = { id, files: new Map(this.head) };
  }

  put(path: string, text: string, overwrite: boolean): void {
    const files = this.open!.files;
    files.set(path, overwrite ? text : (files.get(path) ?? "") + text);
  }

  delete(path: string): void {
    const files = this.open!.files;
    for (const name of files.keys())
      if (name === path || name.startsWith(`${path}/`)) files.delete(name);
  }

  finish(): void {
    this.finished.set(this.open!.id, this.open!.files);
    this.head = this.open!.files;
    this.open = undefined;
  }

  cancel(): void {
    this.cancelled.add(this.open!.id);
    this.open = undefined;
  }

  /** A whole commit on top of the head. */
  whole(id: string, files: ReadonlyMap<string, string>): void {
    this.finished.set(id, files);
    this.head = files;
  }

  /** The head's files, to be changed. */
  copyOfHead(): Map<string, string> {
    return new Map(this.head);
  }

  clear(): void {
    this.finished.clear();
    this.cancelled.clear();
    this.open = undefined;
    this.head = new Map();
  }
}
