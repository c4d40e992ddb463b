import type { Finding } from "./finding.ts";
import { floorOf, isTest, resolveImport, type Import, type SourceFile } from "./source-file.ts";

/** `floors.json`: which floors each floor may import. */
export type Floors = Readonly<Record<string, readonly string[]>>;

/** Imported file by file: they have no door. */
const withoutDoor = new Set(["base", "model"]);

/** No floor rests, over others, on itself. */
export function checkFloorTable(floors: Floors): Finding[] {
  const findings: Finding[] = [];
  for (const [floor, below] of Object.entries(floors)) {
    const unknown = below.filter((name) => floors[name] === undefined);
    for (const name of unknown)
      findings.push(tableFinding(`${floor} names the unknown floor ${name}`));
    if (reachable(floors, floor).has(floor)) findings.push(tableFinding(`${floor} is in a cycle`));
  }
  return findings;
}

function tableFinding(message: string): Finding {
  return { file: "floors.json", line: 1, rule: "floors", message };
}

/**
 * A floor imports only floors that `floors.json` allows it, types included, and only through their
 * door. `main` and tests may open adapters, which are in folders below a floor. A test may use any
 * floor that does not rest on its own.
 */
export function checkFloors(file: SourceFile, floors: Floors): Finding[] {
  const floor = floorOf(file.path);
  if (floor === undefined) return [];
  if (floors[floor] === undefined) {
    const message = `${floor} is no floor: add it to floors.json, or move the file`;
    return [{ file: file.path, line: 1, rule: "floors", message }];
  }
  return file.imports
    .filter(({ specifier }) => specifier.startsWith("."))
    .map((each) => ({ each, problem: problemOf(file, each, floor, floors) }))
    .filter(({ problem }) => problem !== undefined)
    .map(({ each, problem }) => ({
      file: file.path,
      line: each.line,
      rule: "floors",
      message: problem ?? "",
    }));
}

function problemOf(
  file: SourceFile,
  each: Import,
  floor: string,
  floors: Floors,
): string | undefined {
  const target = resolveImport(file.path, each.specifier);
  const targetFloor = floorOf(target);
  if (targetFloor === undefined) {
    const isManifest = target === "package.json" && floor === "main";
    return isManifest || isTest(file.path)
      ? undefined
      : `src may not import ${target}, which is not shipped`;
  }
  if (targetFloor === floor) return undefined;
  if (!mayImport(file, floor, targetFloor, floors))
    return `${floor} may not import ${targetFloor}: see floors.json`;
  if (withoutDoor.has(targetFloor) || isTest(file.path)) return undefined;
  const isAdapter = floor === "main" && target.split("/").length > 3;
  if (target === `src/${targetFloor}/index.ts` || isAdapter) return undefined;
  return `import ${targetFloor} through its door src/${targetFloor}/index.ts, not ${target}`;
}

function mayImport(file: SourceFile, floor: string, target: string, floors: Floors): boolean {
  if (floors[floor]?.includes(target) === true) return true;
  return isTest(file.path) && !reachable(floors, target).has(floor);
}

/** All floors below one, directly or not. */
function reachable(floors: Floors, floor: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const waiting = [...(floors[floor] ?? [])];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    waiting.push(...(floors[next] ?? []));
  }
  return seen;
}

/** The graph as it is: a line per floor with the floors it really imports, tests left out. */
export function importGraph(files: readonly SourceFile[], floors: Floors): string[] {
  const used = new Map(Object.keys(floors).map((floor) => [floor, new Set<string>()]));
  for (const file of files) {
    const floor = floorOf(file.path);
    if (floor === undefined || isTest(file.path)) continue;
    for (const { specifier } of file.imports) {
      const target = specifier.startsWith(".")
        ? floorOf(resolveImport(file.path, specifier))
        : undefined;
      if (target !== undefined && target !== floor) used.get(floor)?.add(target);
    }
  }
  const width = Math.max(...Object.keys(floors).map((floor) => floor.length));
  return [...used]
    .reverse()
    .map(
      ([floor, below]) => `${floor.padEnd(width)} → ${[...below].sort().join(" ") || "nothing"}`,
    );
}
