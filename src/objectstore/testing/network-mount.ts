import { constants } from "node:os";
import type { FileSystem } from "../../base/file-system.ts";

type Method = (...parameters: unknown[]) => Promise<unknown>;

const { ENOENT, EEXIST, ESTALE, ENOTSUP } = constants.errno;
/** One in so many changes is asked for twice, because its first answer is lost. */
const lostEvery = 7;

/**
 * A file system as a mount of NFS can be: it has only the few operations that an object store needs; what is
 * opened, asked for or listed is forgotten at first; now and then a change is asked for twice, and answered as
 * what had happened already.
 */
export function networkMount(fs: FileSystem): FileSystem {
  const known = new Set<string>();
  let changes = 0;
  return new Proxy(fs, {
    get(target, name) {
      const method = (Reflect.get(target, name) as Method).bind(target);
      return async (...parameters: unknown[]): Promise<unknown> => {
        const operation = operationOf(String(name), parameters);
        if (operation === undefined) throw failure(ENOTSUP, String(name));
        const { isChange, twice } = operation;
        const what = `${String(name)} ${String(parameters[0])}`;
        if (!isChange && !known.has(what)) {
          known.add(what);
          throw failure(ESTALE, what);
        }
        const result = await method(...parameters);
        if (twice === undefined || ++changes % lostEvery !== 0) return result;
        if (String(name) === "open") await (result as { close(): Promise<void> }).close();
        throw failure(twice, what);
      };
    },
  });
}

/** `twice`: what the second of two equal requests is answered. Undefined: not supported. */
function operationOf(
  name: string,
  [, second]: unknown[],
): { isChange: boolean; twice?: number } | undefined {
  if (name === "open" && second === "wx") return { isChange: true, twice: EEXIST };
  if (name === "rename" || name === "unlink") return { isChange: true, twice: ENOENT };
  if (name === "mkdir") return { isChange: true };
  if (name === "open" || name === "stat") return { isChange: false };
  // Types of entries are not told.
  return name === "readdir" && second === undefined ? { isChange: false } : undefined;
}

/** As Node throws it: some numbers have no name there. */
function failure(number: number, what: string): Error {
  const name = Object.entries(constants.errno).find(([, one]) => one === number)?.[0] ?? "";
  const code = number === ESTALE ? `Unknown system error -${number}` : name;
  return Object.assign(new Error(`${code}: ${what}`), { code, errno: -number });
}
