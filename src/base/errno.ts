import { constants } from "node:os";

const numbers: Readonly<Record<string, number>> = constants.errno;
const names = new Map(Object.entries(numbers).map(([name, number]) => [number, name]));

/**
 * The name that the operating system has for an error, such as `ENOENT`; "" for any other error. Node calls
 * some of them "Unknown system error", among them those of full quotas and of network file systems.
 */
export function errnoOf(thrown: unknown): string {
  if (!(thrown instanceof Error) || !("code" in thrown) || typeof thrown.code !== "string")
    return "";
  if (!("errno" in thrown) || typeof thrown.errno !== "number" || thrown.code in numbers)
    return thrown.code;
  return names.get(-thrown.errno) ?? thrown.code;
}

/** True when the operating system gave one of these error names, such as `ENOENT`. */
export function hasErrno(thrown: unknown, ...expected: string[]): boolean {
  return expected.includes(errnoOf(thrown));
}
