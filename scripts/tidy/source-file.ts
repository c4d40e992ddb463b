import { codeOnly } from "./code-only.ts";
import { lineAt } from "./finding.ts";

/** An `import … from`, `export … from` or `import()`, of values or of types. */
export interface Import {
  /** As written: `../pfs/index.ts`, `node:fs`, `fastify`. */
  readonly specifier: string;
  readonly line: number;
}

/** A TypeScript file of the checkout. */
export interface SourceFile {
  /** Path from the root of the checkout, with `/`. */
  readonly path: string;
  readonly text: string;
  /** The text without comments and the inside of strings; see codeOnly(). */
  readonly code: string;
  readonly imports: readonly Import[];
}

/** Takes a file apart as far as the rules need it. */
export function sourceFile(path: string, text: string): SourceFile {
  const code = codeOnly(text);
  return { path, text, code, imports: importsOf(text, code) };
}

/** True for tests and for what only tests use. They are free of the rules on size, time and adapters. */
export function isTest(path: string): boolean {
  return path.endsWith(".test.ts") || path.includes("/testing/") || path.startsWith("test/");
}

/** The floor that a file of `src/` stands on; undefined for any other file. */
export function floorOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** Where a relative specifier leads, as a path from the root of the checkout. */
export function resolveImport(from: string, specifier: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

const importForms = [
  /\b(?:import|export)\b[^;"'()]*?\bfrom\s*["']/g,
  /\bimport\s*["']/g,
  /\bimport\s*\(\s*["']/g,
];

function importsOf(text: string, code: string): Import[] {
  const found = importForms.flatMap((form) =>
    [...code.matchAll(form)].map((match) => {
      const start = match.index + match[0].length;
      const quote = code[start - 1] ?? "";
      return { at: match.index, specifier: text.slice(start, code.indexOf(quote, start)) };
    }),
  );
  return found
    .sort((a, b) => a.at - b.at)
    .map(({ at, specifier }) => ({ specifier, line: lineAt(text, at) }));
}
