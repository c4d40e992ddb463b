import { codedErrorFrom, isCoded, type CodedError } from "../base/errors.ts";
import { sha256 } from "../base/hash.ts";
import type { Log } from "../base/log.ts";
import type { HeldView } from "./view-store.ts";
import type { WrittenOutput } from "./written-output.ts";
import type { ViewRef, WorkerHost } from "./worker-host.ts";
import type { WorkerFs } from "./worker-options.ts";

/** A view as it is read through a display. */
interface DisplayedView {
  /** May be replaced by another one of the same digest. */
  ref: ViewRef;
  /** Bytes of content that were brought so far. */
  readonly fetchedBytes: number;
  /** How often programs that read it were given errors, and why the last time. */
  readonly failures: number;
  readonly lastFailure: string;
}

interface DisplayedOutput {
  readonly view: DisplayedView;
  look(signal: AbortSignal): WrittenOutput;
  hide(): Promise<void>;
}

/** Shows views below a directory, without bringing more of them than is read. */
interface ViewDisplay {
  /** False as soon as a program can have failed because it was taken away or cut off. */
  isShown(): Promise<boolean>;
  show(name: string, ref: ViewRef): { readonly view: DisplayedView; readonly hide: () => void };
  /** Shows a view that programs may change; what they write is in `folder`. */
  showOutput(name: string, ref: ViewRef, folder: string): DisplayedOutput;
  close(): Promise<void>;
}

/** Where a display reads views. */
type ViewSource = Pick<WorkerHost, "listDirectory" | "findFile" | "readFile">;

/** Displays of this machine. */
export interface ViewDisplays {
  /** @throws CodedError `failed_precondition` where there can be none, naming the remedy */
  open(point: string, source: ViewSource): Promise<ViewDisplay>;
  /** Takes away what a worker that was killed has left below a directory. */
  clear(directory: string): Promise<void>;
}

/** A view that is brought as it is read. */
export interface LazyView extends HeldView {
  /** Of the display that shows it. */
  readonly mountPoint: string;
  /** What was brought of it since it was held, by whoever had it too. */
  fetchedBytes(): number;
  /** Why a program could not read it since then; undefined when all could. */
  failure(): Promise<string | undefined>;
}

/** The output of a task that begins as a view, and is changed. */
export interface LazyOutput extends Omit<LazyView, "release"> {
  /** What the command made of it: to be asked for when the command and all it started are dead. */
  look(signal: AbortSignal): WrittenOutput;
  /** Settles when nobody writes to its files any more. */
  release(): Promise<void>;
}

interface Display {
  readonly point: string;
  readonly shown: ViewDisplay;
  /** By digest, least recently used first. */
  readonly views: Map<string, Displayed>;
}

interface Displayed {
  readonly path: string;
  readonly view: DisplayedView;
  readonly hide: () => void;
  users: number;
}

/** Views in no use that are kept for the next task. */
const idleViewsMax = 4;

/** Views that are brought as they are read, one for all tasks that show the same; below one display, opened at need. */
export class LazyViews {
  private readonly options: {
    readonly displays: ViewDisplays;
    readonly host: ViewSource;
    readonly fs: Pick<WorkerFs, "mkdir" | "chmod">;
    /** Of these views alone; made when it is needed, and open to nobody else. */
    readonly directory: string;
    readonly log: Log;
  };
  private display: Promise<Display> | undefined;
  private points = 0;
  private names = 0;
  /** Why there is no display: for good, since a sandbox that began without one would not see it. */
  private refused: CodedError | undefined;

  constructor(options: LazyViews["options"]) {
    this.options = options;
  }

  /** The directory of a view. @throws CodedError `failed_precondition` where there can be none */
  async hold(ref: ViewRef): Promise<LazyView> {
    const display = await this.opened();
    const { views } = display;
    const displayed = views.get(ref.digest) ?? this.show(display, ref);
    displayed.users++;
    displayed.view.ref = ref;
    views.delete(ref.digest);
    views.set(ref.digest, displayed);
    let isHeld = true;
    return {
      ...readFromNow(display, displayed),
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        displayed.users--;
        hideIdle(display);
      },
    };
  }

  /** An output as the directory that a command changes; what it writes is in `folder` until it is released. */
  async holdOutput(ref: ViewRef, folder: string): Promise<LazyOutput> {
    const display = await this.opened();
    const name = this.newName(ref);
    const shown = display.shown.showOutput(name, ref, folder);
    const { view } = shown;
    return {
      ...readFromNow(display, { path: `${display.point}/${name}`, view }),
      release: async () => await shown.hide(),
      look: (signal) => shown.look(signal),
    };
  }

  /** Hides everything. */
  async close(): Promise<void> {
    await (await this.display?.catch(() => undefined))?.shown.close();
  }

  private show(display: Display, ref: ViewRef): Displayed {
    const name = this.newName(ref);
    const { view, hide } = display.shown.show(name, ref);
    return { path: `${display.point}/${name}`, view, hide, users: 0 };
  }

  private newName({ digest }: ViewRef): string {
    return `${sha256(Buffer.from(digest)).toString("hex", 0, 12)}-${++this.names}`;
  }

  private async opened(): Promise<Display> {
    if (this.refused !== undefined) throw this.refused;
    const opened = (this.display ??= this.open());
    const display = await opened;
    if (await display.shown.isShown()) return display;
    if (this.display === opened) this.display = undefined;
    // One that was cut off is still mounted.
    await display.shown.close().catch(() => undefined);
    return await this.opened();
  }

  private async open(): Promise<Display> {
    const { displays, host, fs, directory, log } = this.options;
    // Never the same twice: what a sandbox saw of one that has ended is not the next one.
    const point = `${directory}/${++this.points}`;
    try {
      await fs.mkdir(directory, { recursive: true });
      await fs.chmod(directory, 0o700);
      await fs.mkdir(point);
      return { point, shown: await displays.open(point, host), views: new Map() };
    } catch (error) {
      this.display = undefined;
      if (isCoded(error, "failed_precondition")) this.refused = error;
      log.warn({ error: codedErrorFrom(error).message }, "Lazy inputs are staged like others");
      throw error;
    }
  }
}

/** What is read of a view from now on. */
function readFromNow(
  { point, shown }: Display,
  { path, view }: Pick<Displayed, "path" | "view">,
): Omit<LazyView, "release"> {
  const { fetchedBytes: bytesBefore, failures: failuresBefore } = view;
  return {
    path,
    mountPoint: point,
    fetchedBytes: () => view.fetchedBytes - bytesBefore,
    async failure() {
      if (!(await shown.isShown()))
        return `Cannot read the inputs any more: ${point} was unmounted`;
      return view.failures > failuresBefore ? view.lastFailure : undefined;
    },
  };
}

function hideIdle({ views }: Display): void {
  const idle = [...views].filter(([, { users }]) => users === 0);
  for (const [digest, { hide }] of idle.slice(0, Math.max(0, idle.length - idleViewsMax))) {
    views.delete(digest);
    hide();
  }
}
