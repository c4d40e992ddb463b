import { lineAt, type Finding } from "./finding.ts";
import type { SourceFile } from "./source-file.ts";

/** More names than this at a door ask which noun is hiding behind it. */
const doorNamesMax = 50;

/** A door (`src/FLOOR/index.ts`) lists names one by one, at most 50, and holds no code of its own. */
export function checkDoor(file: SourceFile): Finding[] {
  if (!/^src\/[^/]+\/index\.ts$/.test(file.path)) return [];
  const findings: Finding[] = [];
  const add = (offset: number, message: string): void => {
    findings.push({ file: file.path, line: lineAt(file.text, offset), rule: "door", message });
  };
  for (const star of file.code.matchAll(/\bexport\s+(?:type\s+)?\*/g)) {
    add(star.index, "a door lists its names one by one: replace export *");
  }
  const lists = [...file.code.matchAll(/\bexport\s+(?:type\s+)?\{([^}]*)\}/g)];
  const names = lists
    .flatMap((list) => (list[1] ?? "").split(","))
    .filter((name) => name.trim() !== "");
  if (names.length > doorNamesMax) {
    add(
      0,
      `a door of ${names.length} names: at most ${doorNamesMax}. Keep inside what others need not know`,
    );
  }
  const own = /\bexport\s+(?:async\s+)?(?:const|let|function|class|interface|type\s+\w+\s*=)/.exec(
    file.code,
  );
  if (own !== null)
    add(own.index, "a door holds no code of its own: move it into a file named after it");
  return findings;
}
