/** One place where the house is not as its rules say. Printed as `file:line: message`. */
export interface Finding {
  /** Path from the root of the checkout, with `/`. */
  readonly file: string;
  readonly line: number;
  /** Which rule; what an exception names. */
  readonly rule: string;
  readonly message: string;
}

/** The line, from 1, at which `offset` lies. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) line++;
  return line;
}
