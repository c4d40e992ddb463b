import { basename } from "node:path";
import { CodedError } from "../base/errors.ts";
import { explainLocal } from "../base/local-error.ts";
import type { Context } from "./context.ts";

/** The options of `mapreduce`, as they were typed. */
export interface MapReduceFlags {
  readonly input: readonly string[];
  readonly output: string;
  readonly mapper: string;
  readonly reducer?: string;
  readonly combiner?: string;
  readonly partitions?: number;
  readonly partitioner?: string;
  readonly sort?: string;
  readonly keyFields?: number;
  readonly separator?: string;
  readonly merge?: boolean;
  readonly memory?: string;
  readonly split?: string;
  readonly splitBytes?: string;
  readonly file?: readonly string[];
  readonly env?: readonly string[];
  readonly image?: string;
  readonly keep?: boolean;
}

/** A spec for create-job: what was not typed is left to its defaults. */
export async function mapReduceSpec(context: Context, flags: MapReduceFlags): Promise<object> {
  const {
    input,
    output,
    file = [],
    env = [],
    image,
    partitioner,
    sort,
    detach: _,
    ...rest
  } = flags as MapReduceFlags & { detach?: boolean };
  const urls = input.filter(isUrl);
  const places = input.filter((typed) => !isUrl(typed)).map(placeOf);
  const files = await shipped(context, file);
  return {
    output,
    inputs: commitsOf(places).map((commit) => ({ commit })),
    transform: {
      ...(image === undefined ? {} : { image }),
      env: Object.fromEntries(env.map(variableOf)),
      mapReduce: {
        ...rest,
        ...(partitioner === undefined
          ? {}
          : { partitioner: /^\d+$/.test(partitioner) ? Number(partitioner) : partitioner }),
        ...(sort === undefined ? {} : { order: sort }),
        paths: places.map(({ repo, path }) => (path === "" ? repo : `${repo}/${path}`)),
        urls,
        files,
      },
    },
  };
}

function isUrl(typed: string): boolean {
  return /^(https?|s3):\/\//i.test(typed);
}

interface Place {
  readonly repo: string;
  readonly commit: string;
  readonly path: string;
}

/** `data/master/books/*.txt`, `data/master/3/books`: a number behind the branch is that of the commit. */
function placeOf(typed: string): Place {
  const [repo = "", branch = "", ...rest] = typed.split("/");
  if (repo === "" || branch === "")
    throw new CodedError(
      "usage",
      `Cannot read "${typed}" as an input. Write repo/commit/path, such as data/master/books/*.txt, or a URL`,
    );
  const hasNumber = /^\d+$/.test(rest[0] ?? "");
  return {
    repo,
    commit: hasNumber ? `${branch}/${rest[0]}` : branch,
    path: rest.slice(hasNumber ? 1 : 0).join("/"),
  };
}

/** Each repo once. */
function commitsOf(places: readonly Place[]): string[] {
  const commits = new Map<string, string>();
  for (const { repo, commit } of places) {
    const known = commits.get(repo) ?? commit;
    if (known !== commit)
      throw new CodedError(
        "usage",
        `Cannot read ${repo} at two commits, ${known} and ${commit}. Name one of them`,
      );
    commits.set(repo, commit);
  }
  return [...commits].map(([repo, commit]) => `${repo}/${commit}`);
}

/** Files as a spec ships them. */
export async function shipped(
  context: Context,
  paths: readonly string[],
): Promise<{ name: string; base64: string }[]> {
  const files = [];
  for (const path of paths) {
    const bytes = await context.deps.fileSystem.readFile(path).catch((error: unknown) => {
      throw explainLocal(error, path);
    });
    files.push({ name: basename(path), base64: bytes.toString("base64") });
  }
  return files;
}

function variableOf(typed: string): [name: string, value: string] {
  const at = typed.indexOf("=");
  if (at > 0) return [typed.slice(0, at), typed.slice(at + 1)];
  throw new CodedError("usage", `Cannot read "${typed}" as a variable. Write NAME=VALUE`);
}
