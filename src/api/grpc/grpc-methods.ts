import type { PpsDeps } from "../../pps/index.ts";
import type { OpenBucket } from "../../model/source-bucket.ts";
import { Health } from "./gen/health_pb.ts";
import { API as PfsApi, BlockAPI } from "./gen/pfs_pb.ts";
import { API as PpsApi } from "./gen/pps_pb.ts";
import { API as VersionApi } from "./gen/protoversion_pb.ts";
import { blockService } from "./block-service.ts";
import { methodsOf, type BinaryMethod } from "./grpc-service.ts";
import { pfsService } from "./pfs-service.ts";
import { ppsService } from "./pps-service.ts";

/** The release whose clients are served. */
const spoken = { major: 1, minor: 2, micro: 6, additional: "" };

/** All methods, by path. */
export function grpcMethods({
  pps,
  openBucket,
}: {
  readonly pps: PpsDeps;
  readonly openBucket: OpenBucket;
}): Map<string, BinaryMethod> {
  return new Map([
    ...methodsOf(PfsApi, pfsService(pps.pfs, openBucket)),
    ...methodsOf(BlockAPI, blockService(pps.pfs)),
    // As it was called before 1.2.4.
    ...methodsOf(PpsApi, ppsService(pps), ["pachyderm.pps.API"]),
    ...methodsOf(Health, { health: async () => await Promise.resolve({}) }),
    ...methodsOf(VersionApi, { getVersion: async () => await Promise.resolve(spoken) }),
  ]);
}
