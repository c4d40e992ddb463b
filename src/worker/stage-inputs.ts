import type { PfsMount } from "../runner/index.ts";
import { CodedError, codedErrorFrom, isCoded } from "../base/errors.ts";
import { inherit, type Inherited } from "./inherit.ts";
import type { LazyInput } from "./lazy-inputs.ts";
import type { LazyOutput, LazyViews } from "./lazy-views.ts";
import type { HeldView, ViewStore } from "./view-store.ts";
import type { ClaimedTask, ViewRef } from "./worker-host.ts";
import type { WorkerFs } from "./worker-options.ts";

/** All that a task sees below `/pfs`. */
export interface Stage {
  readonly mounts: readonly PfsMount[];
  /** Host path of `/pfs/out`, when it is a directory of the worker. */
  readonly out: string;
  /** What was put there. */
  readonly inherited: Inherited | undefined;
  /** `/pfs/out`, when it is shown through a mount. */
  readonly output?: LazyOutput | undefined;
  /** What is brought as it is read. */
  readonly lazy: readonly LazyInput[];
  /** The mount that shows that: what began before it does not see it. */
  readonly mountPoint: string | undefined;
  release(): Promise<void>;
}

/** What stageInputs() needs of a worker. */
interface StageOptions {
  readonly fs: WorkerFs;
  readonly views: ViewStore;
  /** Default: lazy inputs are brought like others. */
  readonly lazyViews?: LazyViews | undefined;
  readonly out: string;
  /** Where goes what is written to an output that is shown through a mount. */
  readonly written: string;
  /** Told of what is not as the task wanted it. */
  readonly note: (line: string) => void;
}

/**
 * Brings a task's inputs, or shows those that are lazy, and makes its output directory at `out`. What a task with a lazy
 * input inherits is shown in the same way.
 */
export async function stageInputs(
  options: StageOptions,
  task: ClaimedTask,
  signal: AbortSignal,
): Promise<Stage> {
  const { views, lazyViews, written } = options;
  const held: HeldView[] = [];
  const lazy: LazyInput[] = [];
  let output: LazyOutput | undefined;
  const release = async (): Promise<void> => {
    for (const view of held) view.release();
    await output?.release();
  };
  const holdLazy = async <View extends LazyInput["view"]>(
    shown: Pick<LazyInput, "name" | "what">,
    hold: (views: LazyViews) => Promise<View>,
  ): Promise<View | undefined> => {
    const view = await shownLazily({ lazyViews, note: options.note }, shown.what, hold);
    if (view === undefined) return undefined;
    lazy.push({ ...shown, view });
    return view;
  };
  const mounts: PfsMount[] = [];
  const show = async (
    view: ViewRef,
    input: Pick<LazyInput, "name" | "what">,
    isLazy: boolean,
  ): Promise<string> => {
    const shown = isLazy ? await holdLazy(input, async (all) => await all.hold(view)) : undefined;
    const stored = shown ?? (await views.hold(view, signal));
    held.push(stored);
    mounts.push({ name: input.name, hostPath: stored.path, writable: false });
    return stored.path;
  };
  try {
    for (const { name, view, lazy: isLazy = false } of task.inputs)
      await show(view, { name, what: `input ${name}` }, isLazy);
    const before = task.parentOutput;
    const what = "the output before";
    output =
      before === undefined || lazy.length === 0
        ? undefined
        : await holdLazy(
            { name: "out", what },
            async (all) => await all.holdOutput(before, written),
          );
    const prev =
      before === undefined
        ? undefined
        : await show(before, { name: "prev", what }, output !== undefined);
    const inherited = output === undefined ? await layOut(options, prev, signal) : undefined;
    const out = output?.path ?? options.out;
    mounts.unshift({ name: "out", hostPath: out, writable: true });
    const points = new Set(lazy.map(({ view }) => view.mountPoint));
    const mountPoint = points.size === 0 ? undefined : [...points].join(" ");
    return { mounts, out, inherited, output, lazy, mountPoint, release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Undefined where nothing can be shown lazily: results are the same, so that it is brought instead. */
async function shownLazily<View>(
  { lazyViews, note }: Pick<StageOptions, "lazyViews" | "note">,
  what: string,
  hold: (views: LazyViews) => Promise<View>,
): Promise<View | undefined> {
  try {
    if (lazyViews === undefined)
      throw new CodedError("failed_precondition", "This worker has no mounts");
    return await hold(lazyViews);
  } catch (error) {
    if (isCoded(error, "unavailable")) throw error;
    const { message } = codedErrorFrom(error);
    note(`${capitalized(what)} is brought whole, and not as it is read: ${message}`);
    return undefined;
  }
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Makes the output directory, with a copy of what is inherited. */
async function layOut(
  { fs, out }: StageOptions,
  prev: string | undefined,
  signal: AbortSignal,
): Promise<Inherited | undefined> {
  await fs.mkdir(out, { recursive: true });
  await fs.chmod(out, 0o777);
  return prev === undefined ? undefined : await inherit(fs, prev, out, signal);
}
