import type { Finding } from "./finding.ts";
import type { SourceFile } from "./source-file.ts";

const emptyNames = new Set([
  "util",
  "utils",
  "common",
  "helper",
  "helpers",
  "shared",
  "core",
  "misc",
]);

/** A file or folder is named after what it holds; some names say nothing. */
export function checkNames(file: SourceFile): Finding[] {
  const said = file.path
    .split("/")
    .flatMap((part) => part.split(/[-.]/))
    .find((word) => emptyNames.has(word));
  if (said === undefined) return [];
  const message = `the name "${said}" says nothing: name the file or folder after what it holds`;
  return [{ file: file.path, line: 1, rule: "names", message }];
}
