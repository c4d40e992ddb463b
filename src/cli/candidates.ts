import { Command, type Option } from "commander";
import type { CallOptions, Client } from "../client/index.ts";
import { causedCommit } from "./caused-commit.ts";
import { parseCommitArgument } from "./commit-argument.ts";
import type { Context } from "./context.ts";
import { registry } from "./registry.ts";

/** A shell waits while we look: longer than this nobody wants to. */
const patienceMs = 1_000;
const candidatesMax = 1_000;

/** What has been typed of one command, before the word that is being completed. */
interface Typed {
  readonly command: Command;
  readonly positionals: readonly string[];
  /** Value of --of. */
  readonly of: string | undefined;
  /** The option whose value comes next. */
  readonly pending: Option | undefined;
}

/**
 * What the last word of a command line may become: commands, options, and what the daemon has. Nothing
 * when the daemon does not answer in time; the shell then offers files.
 */
export async function candidates(words: readonly string[], context: Context): Promise<string[]> {
  const current = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const patience = new AbortController();
  const found = await Promise.race([
    offers(before, current, context, patience.signal).catch(() => []),
    context.deps.clock.sleep(patienceMs, patience.signal).then(
      () => [],
      () => [],
    ),
  ]);
  patience.abort();
  return [...new Set(found)]
    .filter((one) => one.startsWith(current))
    .toSorted()
    .slice(0, candidatesMax);
}

async function offers(
  before: readonly string[],
  current: string,
  context: Context,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const at = before.findIndex((word) => !word.startsWith("-"));
  const name = before[at] ?? "";
  if (at < 0 || name === "help")
    return current.startsWith("-") ? ["--help", "--no-metrics", "--verbose"] : commandNames();
  if (!Object.hasOwn(registry, name)) return [];
  const typed = await readTyped(name, before.slice(at + 1), context);
  if (typed.pending === undefined && current.startsWith("-"))
    return ["--help", ...typed.command.options.flatMap(({ long }) => long ?? [])];
  const kind = kindWanted(typed);
  if (kind === undefined) return [];
  return await valuesOf(kind, { ...typed, current }, { client: await context.client(), signal });
}

function commandNames(): string[] {
  const shown = Object.entries(registry).filter(([, { hidden }]) => hidden !== true);
  return ["help", ...shown.map(([name]) => name)];
}

async function readTyped(name: string, words: readonly string[], context: Context): Promise<Typed> {
  const command = new Command(name);
  (await registry[name]?.load())?.(command, context);
  const positionals: string[] = [];
  let of: string | undefined;
  let pending: Option | undefined;
  for (const word of words) {
    if (pending !== undefined) {
      if (pending.long === "--of") of = word;
      pending = undefined;
    } else if (word.startsWith("-") && word !== "-") {
      const option = command.options.find(({ short, long }) => word === short || word === long);
      if (option?.required === true) pending = option;
    } else positionals.push(word);
  }
  return { command, positionals, of, pending };
}

/** What the help calls the argument that is being typed, such as `repo-name`. */
function kindWanted({ command, positionals, of, pending }: Typed): string | undefined {
  if (pending !== undefined) return /<(.+)>/.exec(pending.flags)?.[1];
  if (of !== undefined && positionals.length === 1) return "path";
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  const next = registeredArguments[positionals.length] ?? (last?.variadic === true ? last : null);
  return next?.name();
}

interface Wanted extends Typed {
  readonly current: string;
}

interface Source {
  readonly client: Client;
  readonly signal: AbortSignal;
}

async function valuesOf(
  kind: string,
  wanted: Wanted,
  { client, signal }: Source,
): Promise<readonly string[]> {
  const [repo = ""] = wanted.positionals;
  const options = { signal };
  switch (kind) {
    case "repo-name":
    case "repo":
      return await repoNames(client, options);
    case "branch":
      return await client.repos.branches(repo, options);
    case "commit-id":
    case "commit":
    case "commit-a":
    case "commit-b":
    case "parent":
      return await commitIds(client, repo, options);
    case "repo/commit":
      return await wholeCommitNames(client, wanted.current, options);
    case "path":
      return await paths(client, wanted, options);
    case "pipeline-name":
    case "name":
      return (await client.pipelines.list(options)).map(({ name }) => name);
    case "mapreduce-name":
      return (await client.mapReduceJobs.list(options)).map(({ metadata }) => metadata.name);
    case "job-id":
      return (await client.jobs.list(options)).map(({ id }) => id);
    case "shell":
      return ["bash", "zsh", "fish"];
    default:
      return [];
  }
}

async function repoNames(client: Client, options: CallOptions): Promise<string[]> {
  return (await client.repos.list(options)).map(({ name }) => name);
}

async function commitIds(client: Client, repo: string, options: CallOptions): Promise<string[]> {
  const commits = await client.commits.list({ include: [{ repo }], ...options });
  return commits.flatMap(({ branch, id }) => [branch, id]);
}

/** `repo/`, then `repo/branch` and `repo/branch/N`. */
async function wholeCommitNames(
  client: Client,
  current: string,
  options: CallOptions,
): Promise<string[]> {
  const slash = current.indexOf("/");
  if (slash < 0) return (await repoNames(client, options)).map((name) => `${name}/`);
  const repo = current.slice(0, slash);
  return (await commitIds(client, repo, options)).map((id) => `${repo}/${id}`);
}

/** Entries of the directory that is typed so far; directories end in a slash. */
async function paths(client: Client, wanted: Wanted, options: CallOptions): Promise<string[]> {
  const { positionals, current, of } = wanted;
  const [repo = "", id = ""] = positionals;
  const commit =
    of === undefined ? { repo, id } : await causedCommit(client, repo, parseCommitArgument(of));
  const root = current.startsWith("/") ? "/" : "";
  const directory = current.slice(root.length, current.lastIndexOf("/") + 1);
  const found: string[] = [];
  for await (const { path, type } of client.files.list(commit, directory, options)) {
    found.push(`${root}${path}${type === "dir" ? "/" : ""}`);
    if (found.length === candidatesMax) break;
  }
  return found;
}
