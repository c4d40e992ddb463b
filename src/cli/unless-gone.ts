import { isCoded } from "../base/errors.ts";

/** What a call gives; undefined when what it names is not there. That nobody answers is another matter. */
export async function unlessGone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isCoded(error, "not_found")) return undefined;
    throw error;
  }
}
