import { newline } from "./key-rules.ts";

/** So many bytes are looked at and copied here: a call into the runtime takes longer. */
const nearBytes = 24;

/** Where the line that begins at `start` has its newline, which must be there. */
export function lineEnd(bytes: Buffer, start: number): number {
  const near = start + nearBytes;
  for (let at = start; at < near; at++) if (bytes[at] === newline) return at;
  return bytes.indexOf(newline, near);
}

/** Copies `from[start, end)` and says where it ends in `to`. */
export function copyBytes(
  from: Buffer,
  start: number,
  end: number,
  to: Buffer,
  at: number,
): number {
  if (end - start > nearBytes) from.copy(to, at, start, end);
  else for (let i = start, o = at; i < end; i++, o++) to[o] = from[i]!;
  return at + end - start;
}
