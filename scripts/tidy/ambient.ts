import { lineAt, type Finding } from "./finding.ts";
import { floorOf, isTest, type SourceFile } from "./source-file.ts";

interface Ambient {
  readonly pattern: RegExp;
  readonly what: string;
  readonly remedy: string;
  readonly allowedOn: readonly string[];
}

const clock = { remedy: "take a Clock (src/base/clock.ts)", allowedOn: ["base", "main"] };
const random = { remedy: "take a Random (src/base/random.ts)", allowedOn: ["base", "main"] };

/** What a file could reach for without being given it; a simulation could then not control it. */
const ambients: readonly Ambient[] = [
  {
    pattern: /\bprocess\.env\b/g,
    what: "process.env",
    remedy: "only src/main reads the environment; take the value",
    allowedOn: ["main"],
  },
  { pattern: /\bDate\.now\b/g, what: "Date.now", ...clock },
  { pattern: /\bnew Date\(\s*\)/g, what: "new Date()", ...clock },
  { pattern: /\bperformance\.now\b/g, what: "performance.now", ...clock },
  { pattern: /(?<!session\.)\bset(?:Timeout|Interval)\b(?!\s*:)/g, what: "a timer", ...clock },
  { pattern: /\bAbortSignal\.timeout\b/g, what: "AbortSignal.timeout", ...clock },
  { pattern: /\bMath\.random\b/g, what: "Math.random", ...random },
  {
    pattern: /\brandom(?:Bytes|UUID|Int)\b(?=\s*\()/g,
    what: "node:crypto's randomness",
    ...random,
  },
];

/** Time, randomness and the environment are given, never taken. */
export function checkAmbient(file: SourceFile): Finding[] {
  const floor = floorOf(file.path);
  if (floor === undefined || isTest(file.path)) return [];
  return ambients
    .filter(({ allowedOn }) => !allowedOn.includes(floor))
    .flatMap(({ pattern, what, remedy }) =>
      [...file.code.matchAll(pattern)].map((match) => ({
        file: file.path,
        line: lineAt(file.text, match.index),
        rule: "ambient",
        message: `${what} is not for ${floor}: ${remedy}`,
      })),
    );
}
