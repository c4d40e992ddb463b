import { z } from "zod";
import { CodedError } from "../base/errors.ts";
import { KiB, MiB } from "../base/size.ts";
import type { CommitName } from "./commit.ts";
import { defaultLimits, givenLimits, limitFields, type Limits } from "./limits.ts";
import { mapReduceFields, mapReduceSchema, type MapReduce } from "./map-reduce.ts";
import { readPfsUri } from "./pfs-uri.ts";
import { podTemplate, podTemplateKnown } from "./pod-template.ts";
import { isRepoName } from "./repo.ts";
import { didYouMean, specError } from "./spec-error.ts";
import { secretSchema, type Transform } from "./spec-schema.ts";

/** What a MapReduceJob asks for, with every default filled in. */
export interface MapReduceJobPlan {
  readonly transform: Transform;
  /** Commits that its inputs are in, each repo once, by name. */
  readonly commits: readonly CommitName[];
  readonly outputRepo: string;
  readonly limits: Limits;
}

/** What a document says of its name. */
export interface MapReduceJobName {
  readonly name?: string;
  /** Of a name that is to be made. */
  readonly prefix?: string;
}

/** Where `usersecretname` is shown. */
export const userSecretPath = "/secrets/user";
const namespace = "default";
const nameMax = 253;
/** So many characters are appended to a prefix. */
export const suffixLength = 5;
/** They stand in the row of the job, which every list reads. */
const inputsMax = 10_000;
const inputsBytesMax = MiB;
const argsBytesMax = 64 * KiB;

const isName = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const name = z
  .string()
  .max(nameMax, `expected at most ${nameMax} characters`)
  .regex(isName, 'expected lower-case letters, digits, "-" and ".", such as wordcount-1');
const generateName = z
  .string()
  .max(nameMax - suffixLength, `expected at most ${nameMax - suffixLength} characters`)
  .regex(
    /^[a-z0-9][-a-z0-9.]*$/,
    'expected lower-case letters, digits, "-" and ".", such as test-',
  );
const texts = z.record(z.string(), z.string());

const metadataFields = z.strictObject({
  name: name.optional(),
  generateName: generateName.optional(),
  namespace: z.literal(namespace, `expected ${namespace}: there are no others`).optional(),
  labels: texts.optional(),
  annotations: texts.optional(),
  // Programs that print documents leave it in.
  creationTimestamp: z.null().optional(),
});

const headFields = z.looseObject({
  apiVersion: z.enum(["turbobytes.com/v1alpha1", "turbobytes.com/v1beta1"]),
  kind: z.literal("MapReduceJob"),
  metadata: metadataFields.refine(
    (given) => given.name !== undefined || given.generateName !== undefined,
    "expected a name, or a generateName",
  ),
});

const shared = mapReduceFields.shape;
const specFields = z.strictObject({
  image: z.string().min(1, "expected the name of an image"),
  replicas: z.int().min(1).max(10_000, "expected at most 10000").default(1),
  inputs: z
    .array(z.string().regex(/^[^\0]+$/, "expected a text that is not empty"))
    .min(1, "expected at least one input")
    .max(inputsMax, `expected at most ${inputsMax}: name many files by one pfs:// pattern`),
  jobargs: texts.default({}),
  usersecretname: secretSchema.shape.name.optional(),
  keeptmp: z.boolean().default(false),
  template: podTemplate.optional(),
  partitions: shared.partitions,
  partitioner: z.enum(["hash", "crc32", "fnv1a", "adler32"]).default("fnv1a"),
  combine: z.boolean().default(false),
  memory: shared.memory,
  files: shared.files,
  output: z.string().refine(isRepoName, "expected the name of a repo").optional(),
  ...limitFields,
});

const documentFields = z.strictObject({ ...headFields.shape, spec: specFields });

const knownFields = {
  "": Object.keys(documentFields.shape),
  metadata: Object.keys(metadataFields.shape),
  spec: Object.keys(specFields.shape),
  "spec.files[]": ["name", "text", "base64"],
  ...Object.fromEntries(
    Object.entries(podTemplateKnown).map(([place, known]) => [
      place === "" ? "spec.template" : `spec.template.${place}`,
      known,
    ]),
  ),
};

const what = "MapReduceJob";

/** As specError(), but an unknown field is named by its whole path too. */
function documentError(issues: readonly z.core.$ZodIssue[]): CodedError {
  const [unknown] = issues.filter((issue) => issue.code === "unrecognized_keys");
  const field = unknown?.keys[0];
  if (unknown === undefined || field === undefined) return specError(what, issues, knownFields);
  const place = unknown.path.map((part) => (typeof part === "number" ? "[]" : `.${String(part)}`));
  const known: Readonly<Record<string, readonly string[]>> = knownFields;
  const hint = didYouMean(field, known[place.join("").slice(1)] ?? []);
  const path = [...unknown.path, field];
  return specError(
    what,
    [{ code: "custom", path, message: `unknown field${hint}`, input: field }],
    {},
  );
}

/**
 * Reads who a document is. Nothing can be recorded of one that is no MapReduceJob, or has no name.
 *
 * @throws CodedError `invalid_argument` with the path of the wrong field
 */
export function readMapReduceJobName(document: unknown): MapReduceJobName {
  const read = headFields.safeParse(document);
  if (!read.success) throw documentError(read.error.issues);
  const { metadata } = read.data;
  if (metadata.name !== undefined) return { name: metadata.name };
  return { prefix: metadata.generateName ?? "" };
}

/**
 * Reads a document of that name as kubemr took it.
 *
 * @param options `hasImages`: specs that name an image run in it here
 * @throws CodedError `invalid_argument` with the path of the wrong field and the nearest known name
 */
export function parseMapReduceJob(
  document: unknown,
  options: { readonly name: string; readonly hasImages: boolean },
): MapReduceJobPlan {
  const read = documentFields.safeParse(document);
  if (!read.success) throw documentError(read.error.issues);
  const { spec } = read.data;
  const outputRepo = spec.output ?? options.name.replace(/[-.]/g, "_");
  return {
    transform: transformOf(spec, { ...options, outputRepo }),
    commits: commitsOf(spec.inputs),
    outputRepo,
    limits: { ...defaultLimits, ...givenLimits(spec) },
  };
}

type Spec = z.infer<typeof specFields>;

function refused(path: string, message: string): CodedError {
  return new CodedError("invalid_argument", `Cannot read the ${what}: ${path}: ${message}`);
}

function transformOf(
  spec: Spec,
  {
    name: jobName,
    hasImages,
    outputRepo,
  }: { name: string; hasImages: boolean; outputRepo: string },
): Transform {
  const { template, usersecretname: secret } = spec;
  if (!hasImages && template?.command === undefined)
    throw refused(
      template === undefined ? "spec.template" : "spec.template.spec.containers[0].command",
      "is missing, and this daemon runs no images (pachd --runner docker does)",
    );
  const args = JSON.stringify(spec.jobargs);
  if (Buffer.byteLength(args) > argsBytesMax)
    throw refused("spec.jobargs", `expected at most ${argsBytesMax} bytes`);
  const own = secret === undefined ? [] : [{ name: secret, mountPath: userSecretPath }];
  return {
    image: template?.image ?? spec.image,
    cmd: [],
    mapReduce: mapReduceOf(spec),
    env: {
      KUBEMR_JOB_NAME: jobName,
      KUBEMR_JOB_NAMESPACE: namespace,
      PACH_JOB_ARGS: args,
      PACH_OUTPUT_REPO: outputRepo,
      ...(secret === undefined
        ? {}
        : { KUBEMR_USER_SECRET: secret, PACH_SECRET_DIR: userSecretPath }),
      ...template?.env,
    },
    secrets: [...own, ...(template?.secrets ?? [])],
    stdin: [],
    acceptReturnCode: [],
    debug: false,
    ...template?.demands,
  };
}

function mapReduceOf(spec: Spec): MapReduce {
  const { template, partitions, combine } = spec;
  const bytes = spec.inputs.reduce((sum, input) => sum + Buffer.byteLength(input), 0);
  if (bytes > inputsBytesMax)
    throw refused("spec.inputs", `expected at most ${inputsBytesMax} bytes together`);
  if (combine && partitions === 0)
    throw refused("spec.combine", "without partitions nothing is combined: give at least 1");
  const line = lineOf(template);
  const files = spec.files.map(({ name: file, content }) => ({ name: file, base64: content }));
  const read = mapReduceSchema.safeParse({
    mapper: line,
    ...(partitions === 0 ? {} : { reducer: line }),
    ...(combine ? { combiner: line } : {}),
    partitions,
    partitioner: spec.partitioner,
    memory: spec.memory,
    files,
    keep: spec.keeptmp,
  });
  if (!read.success)
    throw documentError(
      read.error.issues.map((issue) => ({ ...issue, path: ["spec", ...issue.path] })),
    );
  const planned = { ...read.data, items: spec.inputs, tasksMax: spec.replicas };
  if (template?.command !== undefined) return planned;
  return { ...planned, ...commandless(planned), imageArgs: template?.args ?? [] };
}

/** What a shell is told to run; of the image's own command it is only said which there are. */
function lineOf(template: Spec["template"]): string {
  const { command = [], args = [], demands } = template ?? {};
  const there = demands?.workingDir === undefined ? "" : `cd ${quoted(demands.workingDir)} && `;
  return `${there}exec ${[...command, ...args].map(quoted).join(" ")}`;
}

function commandless({ reducer, combiner }: MapReduce): Partial<MapReduce> {
  return {
    mapper: "",
    ...(reducer === undefined ? {} : { reducer: "" }),
    ...(combiner === undefined ? {} : { combiner: "" }),
  };
}

/** A word for a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function commitsOf(inputs: readonly string[]): CommitName[] {
  const found = new Map<string, string>();
  for (const [i, input] of inputs.entries()) {
    if (!input.startsWith("pfs://")) continue;
    const at = `spec.inputs[${i}]`;
    const uri = readPfsUri(input);
    if (uri === undefined) throw refused(at, "expected pfs://REPO/COMMIT/PATH");
    const known = found.get(uri.repo) ?? uri.commit;
    if (known !== uri.commit)
      throw refused(at, `cannot read ${uri.repo} at two commits, ${known} and ${uri.commit}`);
    found.set(uri.repo, uri.commit);
  }
  return [...found]
    .map(([repo, id]) => ({ repo, id }))
    .toSorted((a, b) => (a.repo < b.repo ? -1 : 1));
}
