import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { CodedError } from "../../base/errors.ts";
import { issueText } from "../../model/issue-text.ts";
import { jsonBytesMax } from "../limits.ts";

/** What is too large is read so far, for many clients read an answer only when they have sent all. */
const readBytesMax = 4 * jsonBytesMax;

/** Reads a JSON body of at most 16 MiB, whatever its Content-Type says; an absent one is `{}`. */
export async function readJson(request: FastifyRequest): Promise<unknown> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  // Leaving early must not close the connection: the refusal goes over it.
  for await (const piece of request.raw.iterator({ destroyOnReturn: false })) {
    const buffer = piece as Buffer;
    bytes += buffer.length;
    if (bytes <= jsonBytesMax) pieces.push(buffer);
    else if (bytes > readBytesMax) break;
  }
  if (bytes > jsonBytesMax)
    throw new CodedError(
      "too_large",
      `Cannot read the request: a JSON body may have ${jsonBytesMax} bytes at most`,
    );
  const text = Buffer.concat(pieces).toString("utf8");
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new CodedError(
      "invalid_argument",
      `Cannot read the request as JSON: ${(error as Error).message}`,
    );
  }
}

/** Reads a JSON body of a given shape. */
export async function readBody<T>(request: FastifyRequest, shape: z.ZodType<T>): Promise<T> {
  return checked(shape, await readJson(request), "body");
}

/** Reads the query of a request. */
export function readQuery<T>(request: FastifyRequest, shape: z.ZodType<T>): T {
  return checked(shape, request.query, "query");
}

function checked<T>(shape: z.ZodType<T>, value: unknown, where: string): T {
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  // A misspelt name is also a missing one: the name that was typed says more.
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
  const at =
    issue === undefined || issue.path.length === 0
      ? where
      : `${where} field ${issue.path.map(String).join(".")}`;
  const reason =
    issue?.code === "unrecognized_keys"
      ? `unknown field "${issue.keys.join('", "')}"`
      : issue === undefined
        ? "not understood"
        : issueText(issue);
  throw new CodedError("invalid_argument", `Cannot read the request: ${at}: ${reason}`);
}

/** A query parameter that may be given several times. */
export const manyTexts = many({ type: "string" });

/** The same, for commits as `repo/commit`. */
export const manyCommits = many({ type: "string", pattern: "^[^/]+/.+$" });

function many(items: object): z.ZodType<string[]> {
  return z
    .union([z.string().transform((one) => [one]), z.array(z.string())])
    .meta({ openapi: { type: "array", items } })
    .default([]);
}

/** `true`, `1` or an empty value switch on. */
export const flag = z
  .enum(["true", "false", "1", "0", ""])
  .meta({ openapi: { type: "string", enum: ["true", "false", "1", "0", ""], default: "false" } })
  .transform((text) => text !== "false" && text !== "0")
  .default(false);

/** A whole number in the query, of at most 15 digits. */
export function countOr(byDefault: number): z.ZodType<number> {
  return z
    .string()
    .regex(/^\d{1,15}$/, "expected a whole number")
    .meta({ openapi: { type: "integer", minimum: 0, maximum: 10 ** 15 - 1, default: byDefault } })
    .transform(Number)
    .default(byDefault);
}

/** The same, where it makes a difference whether there is one. */
export const optionalCount: z.ZodType<number | undefined> = z
  .string()
  .regex(/^\d{1,15}$/, "expected a whole number")
  .meta({ openapi: { type: "integer", minimum: 0, maximum: 10 ** 15 - 1 } })
  .transform(Number)
  .optional();
