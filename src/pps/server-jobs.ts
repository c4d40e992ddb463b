import { CodedError } from "../base/errors.ts";
import type { S3Place } from "../model/s3-url.ts";
import { nameIn, type PostedFile, type ServerSpec, type ServerWork } from "../model/server-work.ts";
import type { JobDetail, JobEntries, JobPlan } from "../metadata/index.ts";
import { openView } from "../pfs/index.ts";
import type { PpsDeps } from "./pps-deps.ts";
import {
  comparePaths,
  fileOf,
  findObjects,
  lineOf,
  listedPosition,
  objectsBefore,
  type FoundFile,
} from "./server-objects.ts";

/** Files that one start of a server is for, at most: what is lost with it is sent again. */
const filesPerTaskMax = 2_000;
/** More nobody can want of one job. */
const filesMax = 1_000_000;

/** How the files of a job are divided among tasks. */
export interface ServerDivision {
  readonly tasks: number;
  /** What is to be done, in order: so many lines are a task's. */
  readonly lines: readonly string[];
  readonly linesPerTask: number;
  readonly inputBytes: number;
  /** Of a job that reads objects: where they are, and a line for each that there is. */
  readonly place?: S3Place;
  readonly listed?: readonly string[];
}

/**
 * Divides the files of a job whose command is a server: those that have changed since the job that it continues,
 * and the names of those that are gone. All of them as one task when the answer is one file.
 *
 * @throws CodedError `not_found`, `failed_precondition` when there is no such directory, or no such objects
 */
export async function divideFiles(
  deps: PpsDeps,
  { job, server, workers }: { job: JobDetail; server: ServerSpec; workers: number },
  signal: AbortSignal,
): Promise<ServerDivision> {
  if (server.objects === undefined) {
    const now = filesIn(deps, job.inputs[0]!.uid, server);
    const before = filesAt(deps, job.base?.inputUids[0], server);
    return divided({ ...(await compared({ now, before, server }, signal)), job, server, workers });
  }
  const found = { url: server.objects, limit: server.limit };
  const { place, files: now } = await findObjects(deps, found, signal);
  const before = await objectsBefore(deps, job);
  const differences = await compared({ now, before, server }, signal);
  const division = divided({ ...differences, job, server, workers });
  return { ...division, place, listed: now.map(lineOf) };
}

/** The lines that a job keeps: what it has to do, and what it has listed. */
export function keptLines({ lines, listed }: ServerDivision): JobEntries[] {
  const kept = [{ position: 0, names: lines }];
  return listed === undefined ? kept : [...kept, { position: listedPosition, names: listed }];
}

interface Differences {
  readonly all: readonly FoundFile[];
  readonly changed: readonly FoundFile[];
  /** Their names. */
  readonly gone: readonly string[];
}

/** What has become of files, both lists in the order of their paths. */
async function compared(
  lists: {
    now: AsyncIterable<FoundFile> | Iterable<FoundFile>;
    before: AsyncIterable<FoundFile> | Iterable<FoundFile>;
    server: ServerSpec;
  },
  signal: AbortSignal,
): Promise<Differences> {
  const { now, before, server } = lists;
  const [all, changed, gone]: [FoundFile[], FoundFile[], string[]] = [[], [], []];
  const old = iterated(before);
  let last = await old.next();
  for await (const file of now) {
    signal.throwIfAborted();
    all.push(file);
    if (all.length > filesMax)
      throw new CodedError(
        "failed_precondition",
        `Cannot POST the files of /${server.dir}: they are more than ${filesMax}. Divide them among directories`,
      );
    for (; last.done !== true && comparePaths(last.value, file) < 0; last = await old.next())
      gone.push(nameIn(server, last.value.path));
    const isThere = last.done !== true && last.value.path === file.path;
    if (!isThere || last.value!.digest !== file.digest || file.digest === "") changed.push(file);
    if (isThere) last = await old.next();
  }
  for (; last.done !== true; last = await old.next()) gone.push(nameIn(server, last.value.path));
  return { all, changed, gone };
}

async function* iterated(
  files: AsyncIterable<FoundFile> | Iterable<FoundFile>,
): AsyncGenerator<FoundFile, void, void> {
  yield* files;
}

function divided(
  parts: Differences & { job: JobDetail; server: ServerSpec; workers: number },
): ServerDivision {
  const { all, changed, gone, job, server, workers } = parts;
  if (server.output !== undefined) {
    const isNew = job.base?.inputUids[0] === undefined || changed.length + gone.length > 0;
    return shared({ lines: isNew ? all.map(lineOf) : [], tasks: isNew ? 1 : 0, files: all });
  }
  const lines = [...gone.map((name) => `-/${name}`), ...changed.map(lineOf)];
  const share = Math.min(filesPerTaskMax, Math.max(1, Math.ceil(lines.length / workers)));
  return shared({ lines, tasks: Math.ceil(lines.length / share), files: changed });
}

function shared(parts: {
  lines: string[];
  tasks: number;
  files: readonly FoundFile[];
}): ServerDivision {
  const { lines, tasks, files } = parts;
  return {
    lines,
    tasks,
    linesPerTask: Math.ceil(lines.length / Math.max(1, tasks)),
    inputBytes: tasks === 0 ? 0 : files.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** What one task has to do; undefined for a job whose command is no server. */
export async function serverWorkOf(
  deps: PpsDeps,
  job: JobDetail,
  { plan, task }: { plan: JobPlan; task: number },
): Promise<ServerWork | undefined> {
  const { server } = job.info.transform;
  if (server === undefined) return undefined;
  const share = plan.linesPerTask ?? 0;
  const range = { position: 0, from: task * share, to: (task + 1) * share };
  const lines = await deps.pfs.metadata.call("jobLines", { jobId: job.info.id, ...range });
  const files: PostedFile[] = [];
  const gone: string[] = [];
  for (const line of lines) {
    if (line.startsWith("-/")) gone.push(line.slice(2));
    else files.push(fileOf(line));
  }
  return { ...server, files, gone, ...(plan.place === undefined ? {} : { place: plan.place }) };
}

/** Files directly in the directory of a server's input, by name; others are not its business unless it says so. */
async function* filesIn(
  deps: PpsDeps,
  uid: string,
  { dir, limit, deep = false }: ServerSpec,
): AsyncGenerator<FoundFile, void, void> {
  const view = await openView(deps.pfs, { uid });
  const found = dir === "" ? undefined : await view.find(dir);
  if (dir !== "" && found?.entry.type !== "dir")
    throw new CodedError(
      found === undefined ? "not_found" : "failed_precondition",
      `There is no directory /${dir} in the input${found === undefined ? "" : ": it is a file"}. Correct "input" of the job`,
    );
  let count = 0;
  for await (const file of deep ? view.below(dir) : view.children(dir)) {
    if (file.entry.type === "dir") continue;
    yield { path: file.path, bytes: file.bytes, digest: view.digestOf(file) };
    if (++count === limit) return;
  }
}

/** The same of the commit before; of none, nothing. */
async function* filesAt(
  deps: PpsDeps,
  uid: string | undefined,
  server: ServerSpec,
): AsyncGenerator<FoundFile, void, void> {
  if (uid !== undefined) yield* filesIn(deps, uid, server);
}
