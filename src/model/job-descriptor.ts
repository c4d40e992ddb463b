import { z } from "zod";
import { CodedError } from "../base/errors.ts";
import { shownUrl } from "../base/shown-url.ts";
import { parsePath } from "./paths.ts";
import { isS3Url, s3PrefixOf } from "./s3-url.ts";
import { specError } from "./spec-error.ts";

/** What a job reads: the files of a directory of the commit, another job's output, or all below a prefix of S3. */
export type JobSource =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "objects"; readonly url: string }
  | { readonly kind: "job"; readonly name: string };

/** A job of a branch, as somebody described it. */
export interface Descriptor {
  readonly type: "map" | "reduce";
  readonly source: JobSource;
  /** Empty: none. */
  readonly image: string;
  readonly command: readonly string[];
  /** No more files than this, by name; 0: all. */
  readonly limit: number;
  /** Requests at a time to one server. */
  readonly parallel: number;
  /** Of one request, seconds; 0: as long as it takes. */
  readonly timeout: number;
  /** Of 1 024 for a processor. */
  readonly cpuShares: number | undefined;
  readonly memoryBytes: number | undefined;
  /** Where files are POSTed to; `{name}` is the file's name. */
  readonly route: string | undefined;
  readonly port: number | undefined;
  /** Of a reduce: each file for itself, under its own name, and not all as one stream. */
  readonly isGrouped: boolean;
}

/** As the last versions of the original had it. */
const parallelDefault = 100;
const memoryBytesMin = 6 * 2 ** 20;

const jobName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const whole = z.number().int().nonnegative();
const shape = z.strictObject({
  type: z.enum(["map", "reduce"]),
  input: z.string().min(1, "expected a directory, job/NAME, or s3://BUCKET/PREFIX"),
  image: z.string().default(""),
  command: z.union([z.array(z.string()).min(1), z.string().min(1)]),
  limit: whole.default(0),
  parallel: whole.max(10_000).default(0),
  timeout: whole.max(10_000_000).default(0),
  "cpu-shares": z.number().int().min(2).optional(),
  memory: z.number().int().min(memoryBytesMin).optional(),
  route: z
    .string()
    .regex(/^\/[!"$->@-~]*$/, "expected a path, such as /map or /{name}")
    .optional(),
  port: z.number().int().min(1).max(65_535).optional(),
  group: z.enum(["none", "name"]).default("none"),
});

const knownFields = { "": Object.keys(shape.shape) };

/** @throws CodedError `invalid_argument` for a name that no job can have */
export function parseJobName(name: string): string {
  if (jobName.test(name)) return name;
  throw new CodedError(
    "invalid_argument",
    `Cannot use ${JSON.stringify(name)} as the name of a job: use letters, digits, ".", "_" and "-"`,
  );
}

/**
 * Reads the descriptor of a job.
 *
 * @throws CodedError `invalid_argument` naming the field
 */
export function parseDescriptor(name: string, document: unknown): Descriptor {
  const parsed = shape.safeParse(document);
  if (!parsed.success)
    throw specError(`descriptor of job ${name}`, parsed.error.issues, knownFields);
  const { type, input, image, command, limit, parallel, timeout, ...rest } = parsed.data;
  if (rest.group === "name" && type === "map")
    throw new CodedError(
      "invalid_argument",
      `Cannot read the descriptor of job ${name}: group: only a reduce can be grouped. Leave it out`,
    );
  return {
    type,
    source: sourceOf(name, input),
    image,
    command: typeof command === "string" ? ["sh", "-c", command] : command,
    limit,
    parallel: parallel === 0 ? parallelDefault : parallel,
    timeout,
    cpuShares: rest["cpu-shares"],
    memoryBytes: rest.memory,
    route: rest.route,
    port: rest.port,
    isGrouped: rest.group === "name",
  };
}

/** The same, as bytes of JSON. */
export function parseDescriptorText(name: string, text: string): Descriptor {
  let document: unknown;
  try {
    document = JSON.parse(text) as unknown;
  } catch (error) {
    throw new CodedError(
      "invalid_argument",
      `Cannot read the descriptor of job ${name} as JSON: ${(error as Error).message}`,
    );
  }
  return parseDescriptor(name, document);
}

function sourceOf(name: string, input: string): JobSource {
  const refuse = (why: string): CodedError =>
    new CodedError("invalid_argument", `Cannot read the descriptor of job ${name}: input: ${why}`);
  if (isS3Url(input)) {
    s3PrefixOf(input, refuse);
    return { kind: "objects", url: input };
  }
  if (/^[a-z0-9+]+:\/\//i.test(input))
    throw refuse(
      `${shownUrl(input)} is elsewhere, and not on S3. Bring it into a directory first, with "pachctl put-file REPO BRANCH DIRECTORY/FILE -f ${shownUrl(input)}", and name that`,
    );
  const path = parsePath(input);
  const [first, second, ...more] = path.split("/");
  if (first !== "job") return { kind: "directory", path };
  if (second === undefined || more.length > 0)
    throw refuse(`expected job/NAME, and not ${JSON.stringify(input)}`);
  return { kind: "job", name: parseJobName(second) };
}
