import type { LazyView } from "./lazy-views.ts";
import type { TaskOutcome } from "./worker-host.ts";

/** What a task read through a mount. */
export interface LazyInput {
  /** `input a`, `the output before`: views of the same count as one. */
  readonly what: string;
  /** Shown at `/pfs/<name>`. */
  readonly name: string;
  readonly view: Omit<LazyView, "release">;
}

/**
 * Says how much was brought of each, once the command has ended.
 *
 * @returns why one could not be read, if that happened: what the command made of it is then worth nothing
 */
export async function tellLazy(
  inputs: readonly LazyInput[],
  note: (line: string) => void,
): Promise<string | undefined> {
  const fetched = new Map<string, number>();
  for (const { what, view } of inputs)
    fetched.set(what, (fetched.get(what) ?? 0) + view.fetchedBytes());
  for (const [what, bytes] of fetched) note(`Fetched ${bytes} bytes of the files of ${what}`);
  for (const { name, view } of inputs) {
    const failure = await view.failure();
    if (failure !== undefined) return `/pfs/${name}: ${failure}`;
  }
  return undefined;
}

/** An attempt that could not read its input has failed, however its command ended. */
export function withFailure(ended: TaskOutcome, unread: string): TaskOutcome {
  return ended.kind === "success"
    ? { kind: "failure", error: unread }
    : { ...ended, error: `${ended.error}\n${unread}` };
}
