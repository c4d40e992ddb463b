import { join } from "node:path";
import { CodedError } from "../base/errors.ts";
import type { CommitInfo } from "../model/commit.ts";
import type { FileInfo } from "../model/file.ts";
import type { Context } from "./context.ts";
import { explainOutput } from "./explain-output.ts";
import { FolderStream, type StreamState } from "./folder-stream.ts";
import { Progress } from "./progress.ts";
import { patienceOf, type RemoteFile } from "./save-range.ts";
import { SavedState } from "./saved-state.ts";
import { unlessGone } from "./unless-gone.ts";

/** In which a folder that is not complete says how far it is. */
const stateName = ".pachctl-get";

interface State {
  readonly repo: string;
  readonly uid: string;
  readonly commit: string;
  readonly path: string;
  readonly view: string;
  /** The commit was not open when it was begun. */
  readonly isFixed: boolean;
  readonly stream: StreamState;
}

/**
 * Saves everything below a directory in a folder. While that has a file `.pachctl-get`, it is not complete: the same
 * command goes on where it was.
 */
export async function saveFolder(context: Context, remote: RemoteFile, to: string): Promise<void> {
  const stateFile = join(to, stateName);
  const begun = await begin(context, remote, to);
  const { folder, info, state: saved } = begun;
  const state = new SavedState<State>(context, stateFile, () => saved);
  const progress = Progress.open(context);
  if (progress !== undefined && info !== undefined) progress.totals = { bytes: info.sizeBytes };
  const { stream } = saved;
  progress?.keep(stream.files, stream.bytes + (stream.current?.at ?? 0));
  try {
    await state.begin();
    const touch = (): void => {
      state.touch();
    };
    const patience = patienceOf(context);
    const { isFixed } = saved;
    const options = { remote: folder, isFixed, to, state: stream, patience, progress, touch };
    await new FolderStream(context, options).run();
  } catch (error) {
    await state.pause();
    throw explainOutput(error, to);
  } finally {
    progress?.close();
  }
  await state.remove();
}

interface Begun {
  /** Of a commit that does not move. */
  readonly folder: RemoteFile;
  readonly info: FileInfo | undefined;
  readonly state: State;
}

async function begin(context: Context, remote: RemoteFile, to: string): Promise<Begun> {
  const { client, path, view, commit } = remote;
  const { repo } = commit;
  const shown = JSON.stringify(view);
  const before = await SavedState.read<State>(context, join(to, stateName));
  if (before !== undefined) {
    const info = await unlessGone(client.commits.inspect({ repo, id: before.commit }));
    const isSame = before.repo === repo && before.path === path && before.view === shown;
    if (!isSame || info?.uid !== before.uid)
      throw new CodedError(
        "failed_precondition",
        `Cannot save into ${to}: a get-file of ${before.repo}/${before.commit} /${before.path} into it was broken off. Repeat that, or remove ${join(to, stateName)}`,
      );
    context.note(`Going on where the same command was broken off, at ${repo}/${info.id}`);
    const folder = { ...remote, commit: { repo, id: info.id } };
    await checkSaved(context, folder, to, before.stream);
    return { folder, info: await inspect(folder), state: before };
  }
  const info: CommitInfo = await client.commits.inspect(commit);
  const folder = { ...remote, commit: { repo, id: info.id } };
  const found = await inspect(folder);
  if (found?.type === "file")
    throw new CodedError(
      "failed_precondition",
      `Cannot save /${path} with -r: it is a file. Leave -r out`,
    );
  await context.deps.fileSystem.mkdir(to, { recursive: true }).catch((error: unknown) => {
    throw explainOutput(error, to);
  });
  const isFixed = info.state !== "open";
  const stream = { after: "", files: 0, bytes: 0, isDone: false };
  return {
    folder,
    info: found,
    state: { repo, uid: info.uid, commit: info.id, path, view: shown, isFixed, stream },
  };
}

/** Nothing is known of the root but that it is there. */
async function inspect({ client, commit, path, view }: RemoteFile): Promise<FileInfo | undefined> {
  if (path === "") return undefined;
  return await client.files.inspect(commit, path, { ...view, bare: true });
}

/** When a file is missing, or has another size, all comes anew. */
async function checkSaved(
  context: Context,
  { client, commit, path, view }: RemoteFile,
  to: string,
  stream: StreamState,
): Promise<void> {
  if (stream.after === "") return;
  const entries = client.files.list(commit, path, { ...view, recurse: true, pageEntries: 10_000 });
  for await (const entry of entries) {
    const below = path === "" ? entry.path : entry.path.slice(path.length + 1);
    const local = await context.deps.fileSystem.stat(join(to, below)).catch(() => undefined);
    if (entry.type === "file" && local?.size !== entry.sizeBytes) {
      Object.assign(stream, { after: "", files: 0, bytes: 0, current: undefined, isDone: false });
      return;
    }
    if (entry.path === stream.after) return;
  }
}
