import { checkAmbient } from "./ambient.ts";
import { checkDoor } from "./doors.ts";
import type { Exception } from "./exceptions.ts";
import type { Finding } from "./finding.ts";
import { checkFloors, checkFloorTable, type Floors } from "./floors.ts";
import { checkNames } from "./names.ts";
import { checkSize } from "./sizes.ts";
import type { SourceFile } from "./source-file.ts";
import { checkThirdParty } from "./third-party.ts";

/** The checkout, as the rules see it. */
export interface Tree {
  readonly files: readonly SourceFile[];
  readonly floors: Floors;
  readonly exceptions: readonly Exception[];
  readonly exceptionsMax: number;
}

/** Everything wrong with a tree, in order of file and line. */
export function checkTree(tree: Tree): Finding[] {
  const found = [
    ...checkFloorTable(tree.floors),
    ...tree.files.flatMap((file) => [
      ...checkFloors(file, tree.floors),
      ...checkDoor(file),
      ...checkNames(file),
      ...checkSize(file),
      ...checkAmbient(file),
      ...checkThirdParty(file),
    ]),
  ];
  const kept = found.filter((finding) => !tree.exceptions.some((each) => covers(each, finding)));
  return [...kept, ...checkExceptions(tree, found)].sort((a, b) =>
    a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line,
  );
}

function covers(exception: Exception, finding: Finding): boolean {
  return exception.file === finding.file && exception.rule === finding.rule;
}

function checkExceptions(tree: Tree, found: readonly Finding[]): Finding[] {
  const messages = tree.exceptions
    .filter((each) => !found.some((finding) => covers(each, finding)))
    .map((each) => `${each.file} needs no exception from "${each.rule}" any more: take it out`);
  if (tree.exceptions.length > tree.exceptionsMax) {
    messages.push(
      `${tree.exceptions.length} exceptions, at most ${tree.exceptionsMax}: the list may only shrink`,
    );
  }
  return messages.map((message) => ({
    file: "scripts/tidy/exceptions.ts",
    line: 1,
    rule: "exceptions",
    message,
  }));
}
