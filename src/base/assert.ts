/** A broken assumption of ours: a bug, never a user's mistake. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws when what must be true is not. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The value, which must be there. */
export function present<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new AssertionError(`${what} is missing`);
  return value;
}

/** For the default branch of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new AssertionError(`Unexpected value ${JSON.stringify(value)}`);
}
