import type { Finding } from "./finding.ts";
import { isTest, type SourceFile } from "./source-file.ts";

const codeLinesMax = 500;

/** At most 500 lines of code a file, comments and blank lines not counted. */
export function checkSize(file: SourceFile): Finding[] {
  if (isTest(file.path)) return [];
  const lines = file.code.split("\n").filter((line) => line.trim() !== "").length;
  if (lines <= codeLinesMax) return [];
  const message = `${lines} lines of code, at most ${codeLinesMax}: which noun is hiding here?`;
  return [{ file: file.path, line: 1, rule: "size", message }];
}
