import { CodedError } from "../../base/errors.ts";
import { localPrincipal } from "../../model/principal.ts";
import type { Shard as ShardQuery } from "../../model/shard.ts";
import {
  deleteFile,
  inspectFile,
  listFiles,
  openFile,
  type PfsDeps,
  type ViewQuery,
} from "../../pfs/index.ts";
import type { OpenBucket } from "../../model/source-bucket.ts";
import {
  type API,
  ListFileMode,
  type DiffMethod,
  type ListFileRequest,
  type Shard,
} from "./gen/pfs_pb.ts";
import type { Handlers } from "./grpc-service.ts";
import { rangeOf } from "./byte-range.ts";
import { fileInfoMessage, fileOf } from "./messages.ts";
import { putStream } from "./put-stream.ts";
import { valuesOf } from "./values.ts";

/** A listing comes in one message, whatever its length. */
const listPage = 2_000;

type FileMethods = "putFile" | "getFile" | "inspectFile" | "listFile" | "deleteFile";

/** The methods of `pfs.API` on files. */
export function fileMethods(
  pfs: PfsDeps,
  openBucket: OpenBucket,
): Pick<Handlers<typeof API>, FileMethods> {
  return {
    async putFile(requests, { signal }) {
      await putStream(pfs, requests, { openBucket, signal });
      return {};
    },
    async *getFile({ file, offsetBytes, sizeBytes, shard, diffMethod }, { signal }) {
      const request = { ...fileOf(file), query: viewOf(shard, diffMethod) };
      const opened = await openFile(pfs, localPrincipal, request);
      const range = rangeOf(offsetBytes, sizeBytes, opened.bytes);
      for await (const part of opened.read(range, signal)) {
        // Each message is a copy.
        yield* valuesOf(part);
        opened.free(part);
      }
    },
    async inspectFile({ file, shard, diffMethod }) {
      const { commit, path } = fileOf(file);
      const request = { commit, path, query: viewOf(shard, diffMethod) };
      return fileInfoMessage(await inspectFile(pfs, localPrincipal, request), commit);
    },
    listFile: async (request) => ({ fileInfo: await listAll(pfs, request) }),
    async deleteFile({ file }) {
      await deleteFile(pfs, localPrincipal, fileOf(file));
      return {};
    },
  };
}

function viewOf(shard: Shard | undefined, diff: DiffMethod | undefined): ViewQuery {
  const from = diff?.fromCommit?.id ?? "";
  return {
    ...(from === "" ? {} : { from, fullFile: diff?.fullFile ?? false }),
    ...(shard === undefined ? {} : { shard: shardOf(shard) }),
  };
}

/** No hash has as many bits: moduli and numbers above are as good as this one. */
const shardMax = 2n ** 52n;

/** A modulus of 0 shows all, whatever the number. */
function shardOf(shard: Shard): ShardQuery {
  const part = (number: bigint, modulus: bigint): [number, number] => {
    if (modulus === 0n) return [0, 1];
    if (modulus <= shardMax || number >= modulus) return [Number(number), Number(modulus)];
    return [Number(number < shardMax ? number : shardMax - 1n), Number(shardMax)];
  };
  const [fileNumber, fileModulus] = part(shard.fileNumber, shard.fileModulus);
  const [blockNumber, blockModulus] = part(shard.blockNumber, shard.blockModulus);
  return { fileNumber, fileModulus, blockNumber, blockModulus };
}

/** Directories have no size, unless everything below is asked for; with FAST nothing has one. */
async function listAll(
  pfs: PfsDeps,
  { file, shard, diffMethod, mode }: ListFileRequest,
): Promise<ReturnType<typeof fileInfoMessage>[]> {
  const isFast = mode === ListFileMode.ListFile_FAST;
  const recurse = mode === ListFileMode.ListFile_RECURSE;
  if (isFast && (shard?.blockModulus ?? 0n) > 1n)
    throw new CodedError(
      "invalid_argument",
      "the FAST mode of ListFile does not support block shards",
    );
  const { commit, path } = fileOf(file);
  const messages: ReturnType<typeof fileInfoMessage>[] = [];
  for (let after: string | undefined; ;) {
    const query = {
      ...viewOf(shard, diffMethod),
      recurse,
      limit: listPage,
      ...(after === undefined ? {} : { after }),
    };
    const page = await listFiles(pfs, localPrincipal, { commit, path, query });
    for (const info of page.files) {
      const hasSize = !isFast && (info.type === "file" || recurse);
      messages.push(fileInfoMessage(hasSize ? info : { ...info, sizeBytes: 0 }, commit));
    }
    if (page.next === undefined) return messages;
    after = page.next;
  }
}
