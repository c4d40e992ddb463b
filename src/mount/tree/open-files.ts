import { randomHex } from "../../base/random.ts";
import { Refusal } from "../refusal.ts";
import type { OpenMode, Opened, WritePlace } from "../volume.ts";
import type { Catalog } from "./catalog.ts";
import { contentOf, type Content } from "./content.ts";
import { Draft } from "./draft.ts";
import type { DraftPart } from "./draft-part.ts";
import { Handles } from "./handles.ts";
import { pathOf, type FileNode } from "./node.ts";
import type { Range } from "./ranges.ts";
import { ReadAhead } from "./read-ahead.ts";
import type { VolumeDeps } from "./volume-deps.ts";

interface OpenFile {
  readonly node: FileNode;
  readonly content: Content;
  readonly ahead: ReadAhead;
}

const noSignal = new AbortController().signal;
/** What is on its way when its program is interrupted may still arrive for so long. */
const graceMs = 1_000;

/** Files that programs have open: what they read, and what they write until it is sent. */
export class OpenFiles {
  private readonly deps: VolumeDeps;
  private readonly catalog: Catalog;
  private readonly handles = new Handles<OpenFile>();

  constructor(deps: VolumeDeps, catalog: Catalog) {
    this.deps = deps;
    this.catalog = catalog;
  }

  /** Opens a file that is there; what it has is looked at anew. */
  async open(node: FileNode, mode: OpenMode, signal: AbortSignal): Promise<Opened> {
    const file = node.what;
    if (mode.write && !this.catalog.isWritable(node)) throw new Refusal("EROFS");
    await this.catalog.refreshFile(node, signal, 0);
    const isCacheGood = file.keptVersion === file.version;
    file.keptVersion = file.version;
    const handle = this.hold(node);
    if (mode.truncate) await this.draftOf(node).resize(0);
    return { handle, isCacheGood: isCacheGood || file.isFinal };
  }

  /** Opens a file that nobody has yet; it is sent when it is saved. */
  create(node: FileNode): Opened {
    node.what.draft = this.openDraft(node, undefined);
    node.what.keptVersion = node.what.version;
    return { handle: this.hold(node), isCacheGood: true };
  }

  async read(handle: number, range: Range, signal: AbortSignal): Promise<readonly Uint8Array[]> {
    const { node, content, ahead } = this.handles.get(handle);
    const { draft } = node.what;
    if (draft !== undefined) return await draft.read(range, signal);
    // What is asked for goes first.
    const read = this.deps.cache.read(content, range, signal);
    ahead.note(range);
    return await read;
  }

  async write(handle: number, place: WritePlace, bytes: Uint8Array): Promise<void> {
    const { node } = this.handles.get(handle);
    node.what.hasFailed = false;
    const offset = await this.draftOf(node).write(place, bytes);
    // The kernel has kept them at the end that it knew.
    if (offset !== place.offset) node.what.version++;
    this.touch(node);
  }

  /** Cuts a file, or makes it longer; at once when nobody has it open. */
  async resize(node: FileNode, bytes: number, signal: AbortSignal): Promise<void> {
    const file = node.what;
    if (!this.catalog.isWritable(node)) throw new Refusal("EROFS");
    if (file.opens > 0) {
      await this.draftOf(node).resize(bytes);
      this.touch(node);
      return;
    }
    await this.catalog.refreshFile(node, signal, 0);
    const draft = this.draftOf(node);
    try {
      await draft.resize(bytes);
      await this.send(node, signal);
    } finally {
      await this.dropDraft(node);
    }
  }

  async save(handle: number, signal: AbortSignal): Promise<void> {
    await this.send(this.handles.get(handle).node, signal);
  }

  /** Sends what was written to a file and is not sent yet. */
  async send(node: FileNode, signal: AbortSignal): Promise<void> {
    await this.sendThen(node, () => Promise.resolve(), signal);
  }

  /**
   * Sends what was written to a file, and then does something before anybody writes to it again. It goes on to its end
   * when who waits is interrupted: nobody could tell whether it had arrived.
   */
  async sendThen(node: FileNode, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { draft } = node.what;
    if (draft === undefined || node.what.isOrphan) return await work();
    const sending = draft.sendThen((part) => this.put(node, part), work);
    await this.unlessInterrupted(sending, signal);
  }

  private async put(node: FileNode, part: DraftPart): Promise<void> {
    const file = node.what;
    if (file.isOrphan) return;
    const { remote, sender } = this.deps;
    const path = pathOf(node);
    const { repo, id } = file.commit;
    try {
      await sender.send(file.commit, path, part);
      file.hasFailed = false;
    } catch (error) {
      file.hasFailed = true;
      if (!(error instanceof Refusal)) throw error;
      remote.tell(`write ${path} of ${repo}/${id}`, error.cause ?? error);
      throw error.code === "EROFS" || error.code === "ENOENT" ? new Refusal("EIO") : error;
    }
  }

  /** An interrupt is for those who wait for a daemon that does not answer; one that does is soon done. */
  private async unlessInterrupted(work: Promise<void>, signal: AbortSignal): Promise<void> {
    if (signal === noSignal) return await work;
    const interrupted = Promise.withResolvers<never>();
    let over: AbortController | undefined;
    const stop = (): void => {
      over = new AbortController();
      this.deps.clock.sleep(graceMs, over.signal).then(
        () => {
          interrupted.reject(new Refusal("EINTR"));
        },
        () => undefined,
      );
    };
    signal.addEventListener("abort", stop, { once: true });
    try {
      await Promise.race([work, interrupted.promise]);
    } finally {
      signal.removeEventListener("abort", stop);
      // Only when there is something to end: it makes an error each time.
      over?.abort();
    }
  }

  /** Sends all files that are open; those that fail are logged. */
  async sendAll(): Promise<void> {
    for (const { node } of this.handles.values())
      await this.send(node, noSignal).catch(() => undefined);
  }

  async release(handle: number): Promise<void> {
    const { node, ahead } = this.handles.get(handle);
    ahead.close();
    this.handles.delete(handle);
    const file = node.what;
    file.opens--;
    if (file.opens > 0) return;
    if (file.draft !== undefined) {
      // Of what was written after the last close, through a mapping: nobody waits for it.
      if (!file.hasFailed) await this.send(node, noSignal).catch(() => undefined);
      if (file.opens === 0) await this.dropDraft(node);
    }
    this.deps.nodes.dropUnused(node);
  }

  /** Keeps what the handles of a file show, when its name is to lead nowhere or elsewhere. */
  async orphan(node: FileNode, signal: AbortSignal): Promise<void> {
    const file = node.what;
    if (file.opens > 0 && !file.isFinal) {
      await this.draftOf(node).detach(signal, () => {
        file.isOrphan = true;
      });
    }
  }

  /** Its draft, begun from what it has now. */
  draftOf(node: FileNode): Draft {
    const file = node.what;
    file.draft ??= this.openDraft(node, this.contentOf(node));
    return file.draft;
  }

  /** What it has now. */
  contentOf(node: FileNode): Content {
    const { commit, info, isFinal, version } = node.what;
    return contentOf(this.deps, {
      commit,
      path: () => pathOf(node),
      key: isFinal ? info.digest : `${node.id}.${version}`,
      sizeBytes: info.sizeBytes,
    });
  }

  private hold(node: FileNode): number {
    node.what.opens++;
    const content = this.contentOf(node);
    return this.handles.add({ node, content, ahead: new ReadAhead(this.deps, content) });
  }

  private openDraft(node: FileNode, base: Content | undefined): Draft {
    const { scratch, cache, random } = this.deps;
    const keepsWrites = node.name.endsWith(".bin");
    const newKey = (): string => randomHex(random);
    return new Draft({ base, scratch: scratch.open(), cache, keepsWrites, newKey });
  }

  private touch(node: FileNode): void {
    const file = node.what;
    file.info = { ...file.info, modifiedMicros: this.deps.clock.nowMicros() };
  }

  /** From here on the commit is asked again. */
  private async dropDraft(node: FileNode): Promise<void> {
    const file = node.what;
    const { draft } = file;
    if (draft === undefined) return;
    file.info = { ...file.info, sizeBytes: draft.sizeBytes, digest: "" };
    file.version++;
    file.checkedMs = -Infinity;
    file.changedMs = this.deps.clock.monotonicMs();
    if (!file.isOrphan) file.draft = undefined;
    await draft.close();
    if (file.isOrphan) file.draft = undefined;
  }
}
