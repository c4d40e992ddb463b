import type { FileHandle } from "node:fs/promises";
import type { FileSystem } from "../../base/file-system.ts";

/** What is about to happen on disk. `to` is the second path of a rename. */
export interface FileOperation {
  readonly name: (typeof observed)[number];
  readonly path: string;
  readonly to: string;
  /** Bytes a `writev` is given. */
  readonly buffers: readonly Uint8Array[];
}

/** Stands between the store and the disk: calls `run`, with fewer bytes perhaps, or throws instead. */
export type Observer = (
  operation: FileOperation,
  run: (buffers?: readonly Uint8Array[]) => Promise<unknown>,
) => Promise<unknown>;

const observed = ["open", "mkdir", "rename", "unlink", "writev", "sync", "close"] as const;

/** A file system whose changes, and opening and closing of files, pass through `observe`. */
export function observedFileSystem(fs: FileSystem, observe: Observer): FileSystem {
  return wrap(fs, undefined, observe);
}

type Method = (...parameters: unknown[]) => Promise<unknown>;

function wrap<T extends object>(target: T, path: string | undefined, observe: Observer): T {
  return new Proxy(target, {
    get(_, name) {
      const method = Reflect.get(target, name) as Method;
      if (typeof method !== "function") return method;
      const operation = observed.find((one) => one === name);
      if (operation === undefined) return method.bind(target);
      return async (...parameters: unknown[]): Promise<unknown> => {
        const about: FileOperation = {
          name: operation,
          path: path ?? String(parameters[0]),
          to: operation === "rename" ? String(parameters[1]) : "",
          buffers: operation === "writev" ? (parameters[0] as Uint8Array[]) : [],
        };
        const result = await observe(about, async (buffers) =>
          buffers === undefined
            ? await method.apply(target, parameters)
            : await method.call(target, buffers),
        );
        return operation === "open" ? wrap(result as FileHandle, about.path, observe) : result;
      };
    },
  });
}
