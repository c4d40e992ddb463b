import type { z } from "zod";

/**
 * What is wrong with a value of a body, query or spec, in plain words; follows the place where it is:
 * `is missing`, `expected a text, found a number`.
 */
export function issueText(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type") {
    const found = /received (\w+)/.exec(issue.message)?.[1] ?? "something else";
    if (found === "undefined") return "is missing";
    return `expected ${kindOf(issue.expected)}, found ${kindOf(found)}`;
  }
  if (issue.code === "invalid_value")
    return `expected ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
  if (issue.code === "too_small" && issue.origin === "number")
    return `expected at least ${issue.minimum}`;
  if (issue.code === "invalid_union") return `expected ${expectedBy(issue.errors.flat())}`;
  return issue.message;
}

function expectedBy(issues: readonly z.core.$ZodIssue[]): string {
  const kinds = issues.map((issue) =>
    issue.code === "invalid_type" ? kindOf(issue.expected) : issueText(issue),
  );
  return [...new Set(kinds)].map((kind) => kind.replace(/^expected /, "")).join(" or ");
}

const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  array: "a list",
  object: "an object",
  record: "an object",
  boolean: "true or false",
};

function kindOf(kind: string): string {
  return kinds[kind] ?? kind;
}
