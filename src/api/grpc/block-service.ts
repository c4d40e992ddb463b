import { CodedError } from "../../base/errors.ts";
import type { BlockAPI } from "./gen/pfs_pb.ts";
import type { Handlers } from "./grpc-service.ts";

/** `pfs.BlockAPI` of the 1.2 series: of its clients only the daemon itself used it. Files are stored otherwise here. */
export const blockService: Handlers<typeof BlockAPI> = {
  async putBlock() {
    throw refusal("PutBlock", "use PutFile of pfs.API");
  },
  // oxlint-disable-next-line require-yield
  async *getBlock() {
    throw refusal("GetBlock", "use GetFile of pfs.API");
  },
  async deleteBlock() {
    throw refusal("DeleteBlock", "garbage collection removes what nothing refers to");
  },
  async inspectBlock() {
    throw refusal("InspectBlock", "use InspectFile of pfs.API");
  },
  async listBlock() {
    const classic = "not implemented";
    throw new CodedError("unimplemented", classic, { details: { classic } });
  },
};

function refusal(method: string, remedy: string): CodedError {
  return new CodedError(
    "unimplemented",
    `Cannot carry out ${method} of pfs.BlockAPI: files are not stored as blocks here; ${remedy}`,
  );
}
