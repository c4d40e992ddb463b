import { CodedError } from "../base/errors.ts";
import { nameIn, type PostedFile, type ServerSpec, type ServerWork } from "../model/server-work.ts";
import type { JobDetail, JobPlan } from "../metadata/index.ts";
import { openView } from "../pfs/index.ts";
import type { PpsDeps } from "./pps-deps.ts";

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
}

/** A file of an input's directory. */
interface FoundFile extends PostedFile {
  readonly digest: string;
}

/**
 * Divides the files of a job whose command is a server: those that have changed since the job that it continues,
 * and the names of those that are gone. All of them as one task when the answer is one file.
 *
 * @throws CodedError `not_found`, `failed_precondition` when there is no such directory
 */
export async function divideFiles(
  deps: PpsDeps,
  { job, server, workers }: { job: JobDetail; server: ServerSpec; workers: number },
  signal: AbortSignal,
): Promise<ServerDivision> {
  const uid = job.inputs[0]!.uid;
  const before = job.base?.inputUids[0];
  const [all, changed, gone]: [FoundFile[], FoundFile[], string[]] = [[], [], []];
  const old = filesAt(deps, before, server);
  let last = await old.next();
  for await (const file of filesIn(deps, uid, server)) {
    signal.throwIfAborted();
    all.push(file);
    if (all.length > filesMax)
      throw new CodedError(
        "failed_precondition",
        `Cannot POST the files of /${server.dir}: they are more than ${filesMax}. Divide them among directories`,
      );
    for (; last.done !== true && compare(last.value, file) < 0; last = await old.next())
      gone.push(nameIn(server, last.value.path));
    const isThere = last.done !== true && last.value.path === file.path;
    if (!isThere || last.value!.digest !== file.digest) changed.push(file);
    if (isThere) last = await old.next();
  }
  for (; last.done !== true; last = await old.next()) gone.push(nameIn(server, last.value.path));
  if (server.output !== undefined) {
    const isNew = before === undefined || changed.length + gone.length > 0;
    return divided({ lines: isNew ? all.map(lineOf) : [], tasks: isNew ? 1 : 0, files: all });
  }
  const lines = [...gone.map((name) => `-/${name}`), ...changed.map(lineOf)];
  const share = Math.min(filesPerTaskMax, Math.max(1, Math.ceil(lines.length / workers)));
  return divided({ lines, tasks: Math.ceil(lines.length / share), files: changed });
}

function divided(parts: {
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
  const range = { from: task * share, to: (task + 1) * share };
  const lines = await deps.pfs.metadata.call("jobLines", { jobId: job.info.id, ...range });
  const files: PostedFile[] = [];
  const gone: string[] = [];
  for (const line of lines) {
    const at = line.indexOf("/");
    if (line.startsWith("-")) gone.push(line.slice(at + 1));
    else files.push({ path: line.slice(at + 1), bytes: Number(line.slice(0, at)) });
  }
  return { ...server, files, gone };
}

function lineOf({ bytes, path }: FoundFile): string {
  return `${bytes}/${path}`;
}

/** Files directly in the directory of a server's input, by name; others are not its business. */
async function* filesIn(
  deps: PpsDeps,
  uid: string,
  { dir, limit }: ServerSpec,
): AsyncGenerator<FoundFile, void, void> {
  const view = await openView(deps.pfs, { uid });
  const found = dir === "" ? undefined : await view.find(dir);
  if (dir !== "" && found?.entry.type !== "dir")
    throw new CodedError(
      found === undefined ? "not_found" : "failed_precondition",
      `There is no directory /${dir} in the input${found === undefined ? "" : ": it is a file"}. Correct "input" of the job`,
    );
  let count = 0;
  for await (const file of view.children(dir)) {
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

function compare(a: FoundFile, b: FoundFile): number {
  return Buffer.compare(Buffer.from(a.path), Buffer.from(b.path));
}
