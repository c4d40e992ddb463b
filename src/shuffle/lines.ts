import { newline } from "./key-rules.ts";

/** So many bytes are looked at here: a call into the runtime takes longer. */
const nearBytes = 24;

/** Where the line that begins at `start` has its newline, which must be there. */
export function lineEnd(bytes: Buffer, start: number): number {
  const near = start + nearBytes;
  for (let at = start; at < near; at++) if (bytes[at] === newline) return at;
  return bytes.indexOf(newline, near);
}
