import type { z } from "zod";
import { CodedError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { issueText } from "./issue-text.ts";

/** Names of fields by the place they are in, such as `inputs[].repo`; the document itself is "". */
export type KnownFields = Readonly<Record<string, readonly string[]>>;

/** Renames snake_case fields, except where the names are the user's own (environment variables). */
export function camelFields(value: unknown, path = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => camelFields(item, `${path}[]`));
  if (typeof value !== "object" || value === null || path === ".transform.env") return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      return [camel, camelFields(inner, `${path}.${camel}`)];
    }),
  );
}

type Issue = z.core.$ZodIssue;

/** What is wrong with a spec, `what`, with the path of the field and the nearest known name. */
export function specError(
  what: string,
  issues: readonly Issue[],
  knownFields: KnownFields,
): CodedError {
  const issue = deepest(issues);
  const at = issue.path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
  if (issue.code === "unrecognized_keys") {
    const field = issue.keys[0] ?? "";
    const place = at.replace(/\[\d+\]/g, "[]");
    const hint = didYouMean(field, knownFields[place] ?? []);
    return new CodedError(
      "invalid_argument",
      `Cannot read the ${what}: unknown field "${field}"${at === "" ? "" : ` in ${at}`}${hint}`,
    );
  }
  return new CodedError(
    "invalid_argument",
    `Cannot read the ${what}: ${at === "" ? "the document" : at}: ${issueText(issue)}`,
  );
}

/** The most telling issue: of a union, the branch that got furthest. */
function deepest(issues: readonly Issue[]): Issue {
  // A misspelt name is also a missing one: the name that was typed says more.
  const first = (issues.find((issue) => issue.code === "unrecognized_keys") ?? issues[0]) as Issue;
  if (first.code !== "invalid_union") return first;
  const inner = first.errors
    .map((branch) => deepest(branch))
    .map((issue) => ({ ...issue, path: [...first.path, ...issue.path] }));
  const telling = inner.filter(
    (issue) => issue.code !== "invalid_type" || issue.path.length > first.path.length,
  );
  const best = telling.sort((a, b) => b.path.length - a.path.length)[0];
  return best ?? first;
}

/** `. Did you mean "map"?`, or nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return near === undefined ? "" : `. Did you mean "${near}"?`;
}
