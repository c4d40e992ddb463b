import { hasErrno } from "./errno.ts";

/**
 * Does it once more when a server on the network has forgotten what a handle or folder stands for (ESTALE):
 * looked up by its name again, it is known.
 */
export async function unlessStale<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!hasErrno(thrown, "ESTALE")) throw thrown;
    return await work();
  }
}
