import { API as Pfs } from "../gen/pfs_pb.ts";
import { CallFailed, type GrpcClient } from "./grpc-client.ts";

/** The names of the wire, as tests write them. */
export interface WireFile {
  readonly commit: { readonly repo: { readonly name: string }; readonly id: string };
  readonly path: string;
}

export function wireCommit(repo: string, id = "master/0"): WireFile["commit"] {
  return { repo: { name: repo }, id };
}

export function wireFile(repo: string, path: string, id = "master/0"): WireFile {
  return { commit: wireCommit(repo, id), path };
}

/** Puts values as the clients of the 1.2 series do: the file in the first message alone. */
export async function put(
  client: GrpcClient,
  file: WireFile,
  ...values: readonly string[]
): Promise<void> {
  await client.all(
    Pfs.method.putFile,
    (values.length === 0 ? [""] : values).map((value, i) => ({
      ...(i === 0 ? { file } : {}),
      delimiter: 2,
      value: Buffer.from(value),
    })),
  );
}

/** The content of a file. */
export async function get(
  client: GrpcClient,
  file: WireFile,
  query: {
    offsetBytes?: bigint;
    sizeBytes?: bigint;
    shard?: object;
    diffMethod?: object;
  } = {},
): Promise<string> {
  const parts = await client.all(Pfs.method.getFile, [{ file, ...query }]);
  return Buffer.concat(parts.map(({ value }) => value)).toString();
}

/** The text of a call's failure, which must be UNKNOWN as all are that methods answer. */
export async function refusalOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof CallFailed && error.status === 2) return error.message;
    throw error;
  }
  throw new Error("the call was not refused");
}
