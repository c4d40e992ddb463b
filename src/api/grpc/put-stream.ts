import { CodedError } from "../../base/errors.ts";
import { parseEntryPath, parsePath } from "../../model/paths.ts";
import { localPrincipal } from "../../model/principal.ts";
import { makeDirectory, putFiles, type PfsDeps, type PutFile } from "../../pfs/index.ts";
import type { OpenBucket } from "../../model/source-bucket.ts";
import { fetchSource } from "../http/fetch-source.ts";
import { FileType, type PutFileRequest } from "./gen/pfs_pb.ts";
import { formatOf } from "./delimiter.ts";
import { fileOf } from "./messages.ts";

/** Bytes up to which a put is taken as one buffer: it costs less than a stream. */
const smallBytesMax = 64 * 1_024;

/** One PutFile: the first message says which file, all of them may carry bytes. None at all does nothing. */
export async function putStream(
  pfs: PfsDeps,
  requests: AsyncIterable<PutFileRequest>,
  { openBucket, signal }: { openBucket: OpenBucket; signal: AbortSignal },
): Promise<void> {
  const rest = requests[Symbol.asyncIterator]();
  const first = await rest.next();
  if (first.done === true) return;
  const request = first.value;
  const { commit, path } = fileOf(request.file);
  if (request.fileType === FileType.DIR) {
    if (request.value.length > 0)
      throw new CodedError(
        "invalid_argument",
        "PutFileRequest shouldn't have type dir and a value",
      );
    await makeDirectory(pfs, localPrincipal, { commit, path });
    return;
  }
  const files =
    request.url === ""
      ? oneFile(request, path, rest)
      : fetched(request, path, { openBucket, signal });
  await putFiles(pfs, localPrincipal, { commit, files, signal });
}

async function* oneFile(
  { value, delimiter }: PutFileRequest,
  typed: string,
  rest: AsyncIterator<PutFileRequest>,
): AsyncGenerator<PutFile, void, void> {
  const second = value.length <= smallBytesMax ? await rest.next() : undefined;
  const content =
    second?.done === true
      ? Buffer.from(value)
      : bytesOf(value, second?.value as PutFileRequest | undefined, rest);
  yield { path: parseEntryPath(typed), overwrite: false, format: formatOf(delimiter), content };
}

async function* bytesOf(
  first: Uint8Array,
  second: PutFileRequest | undefined,
  rest: AsyncIterator<PutFileRequest>,
): AsyncGenerator<Uint8Array, void, void> {
  yield first;
  if (second !== undefined) yield second.value;
  for (let next = await rest.next(); next.done !== true; next = await rest.next())
    yield next.value.value;
}

async function* fetched(
  { url, recursive, delimiter }: PutFileRequest,
  typed: string,
  { openBucket, signal }: { openBucket: OpenBucket; signal: AbortSignal },
): AsyncGenerator<PutFile, void, void> {
  const path = recursive ? parsePath(typed) : parseEntryPath(typed);
  for await (const file of fetchSource({ url, recursive, path }, openBucket, signal))
    yield { ...file, overwrite: false, format: formatOf(delimiter) };
}
