import { CodedError } from "../../base/errors.ts";
import { localPrincipal } from "../../model/principal.ts";
import { Blocks, type PfsDeps } from "../../pfs/index.ts";
import type { BlockAPI, PutBlockRequest } from "./gen/pfs_pb.ts";
import { rangeOf } from "./byte-range.ts";
import { formatOf } from "./delimiter.ts";
import type { Handlers } from "./grpc-service.ts";
import { timestampOf } from "./messages.ts";
import { valuesOf } from "./values.ts";

/** `pfs.BlockAPI` of the 1.2 series over pfs; without rules of its own. Blocks of files cannot be named here. */
export function blockService(pfs: PfsDeps): Handlers<typeof BlockAPI> {
  const all = new Blocks(pfs);
  return {
    async putBlock(requests, { signal }) {
      const rest = requests[Symbol.asyncIterator]();
      const first = await rest.next();
      if (first.done === true) return {};
      const { delimiter } = first.value;
      const content = valuesIn(first.value, rest);
      const input = { content, format: formatOf(delimiter), signal };
      const blocks = await all.put(localPrincipal, input);
      return {
        blockRef: blocks.map(({ id, bytes }) => ({
          block: { hash: id },
          range: { lower: 0n, upper: BigInt(bytes) },
        })),
      };
    },
    async *getBlock({ block, offsetBytes, sizeBytes }, { signal }) {
      const opened = await all.open(localPrincipal, block?.hash ?? "");
      const range = rangeOf(offsetBytes, sizeBytes, opened.bytes);
      for await (const part of opened.read(range, signal)) yield* valuesOf(part);
    },
    async deleteBlock({ block }) {
      await all.delete(localPrincipal, block?.hash ?? "");
      return {};
    },
    async inspectBlock({ block }) {
      const { id, createdMicros, bytes } = await all.open(localPrincipal, block?.hash ?? "");
      return { block: { hash: id }, created: timestampOf(createdMicros), sizeBytes: BigInt(bytes) };
    },
    async listBlock() {
      const classic = "not implemented";
      throw new CodedError("unimplemented", classic, { details: { classic } });
    },
  };
}

async function* valuesIn(
  first: PutBlockRequest,
  rest: AsyncIterator<PutBlockRequest>,
): AsyncGenerator<Uint8Array, void, void> {
  yield first.value;
  for (let next = await rest.next(); next.done !== true; next = await rest.next())
    yield next.value.value;
}
