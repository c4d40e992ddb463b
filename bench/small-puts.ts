import {
  FileType,
  GetFileRequestSchema,
  PutFileRequestSchema,
} from "../src/api/grpc/gen/pfs_pb.ts";
import type { Bed, Row } from "./bench.ts";
import { msOf } from "./measure.ts";
import { RawGrpc } from "./raw-grpc.ts";
import { RawHttp } from "./raw-http.ts";

const fileBytes = 1_000;
const inFlight = 16;
const rounds = 3;

/** Files of 1 KB, each by a request of its own and durable, sixteen in flight: over REST and over gRPC. */
export async function* smallPuts(bed: Bed): AsyncGenerator<Row, void, void> {
  const count = bed.full ? 20_000 : 4_000;
  const { address } = bed.daemon;
  const sinkAddress = bed.sink.url.replace("http://", "");
  await bed.client.repos.create("small");
  const commit = await bed.client.commits.start("small", "master");
  const https = await Promise.all(Array.from({ length: inFlight }, () => RawHttp.open(address)));
  const sinks = await Promise.all(
    Array.from({ length: inFlight }, () => RawHttp.open(sinkAddress)),
  );
  const grpc = new RawGrpc(address);
  const file = (
    path: string,
  ): { commit: { repo: { name: string }; id: string }; path: string } => ({
    commit: { repo: { name: "small" }, id: commit.id },
    path,
  });
  const rest = `/api/v1/repos/small/commits/${encodeURIComponent(commit.id)}/files`;
  const works: Record<string, (worker: number, index: number, round: number) => Promise<unknown>> =
    {
      "put over REST": (worker, index, round) =>
        https[worker]!.send("POST", `${rest}/r${round}/${index}`, bodyOf(index, round)),
      "put over gRPC": (_, index, round) =>
        grpc.call("/pfs.API/PutFile", PutFileRequestSchema, {
          file: file(`g${round}/${index}`),
          fileType: FileType.REGULAR,
          value: bodyOf(index, -1 - round),
        }),
      "get over REST": (worker, index, round) =>
        https[worker]!.send("GET", `${rest}/r${round}/${index}`, Buffer.alloc(0)),
      "get over gRPC": (_, index, round) =>
        grpc.call("/pfs.API/GetFile", GetFileRequestSchema, { file: file(`g${round}/${index}`) }),
    };
  // The first ones are compiled while they run.
  for (const work of Object.values(works)) await perSecond(count / 4, work, rounds);
  const bare = async (worker: number, index: number): Promise<void> => {
    await sinks[worker]!.send("POST", "/hash", bodyOf(index, 0));
  };
  for (const [what, work] of Object.entries(works)) {
    if (what.startsWith("get")) await bed.client.commits.finish(commit).catch(() => undefined);
    const values: number[] = [];
    const peers: number[] = [];
    for (let round = 0; round < rounds; round++) {
      values.push(await perSecond(count, work, round));
      peers.push(await perSecond(count, bare, round));
    }
    yield {
      what: `${what}, 1 KB, ${inFlight} in flight`,
      unit: "1/s",
      values,
      peer: { what: "bare HTTP + SHA-256", values: peers },
    };
  }
  for (const connection of [...https, ...sinks, grpc]) connection.close();
}

function bodyOf(index: number, round: number): Buffer {
  const body = Buffer.alloc(fileBytes, "x");
  body.write(`${round} ${index}\n`);
  return body;
}

async function perSecond(
  count: number,
  work: (worker: number, index: number, round: number) => Promise<unknown>,
  round: number,
): Promise<number> {
  let next = 0;
  const ms = await msOf(() =>
    Promise.all(
      Array.from({ length: inFlight }, async (_, worker) => {
        while (next < count) await work(worker, next++, round);
      }),
    ),
  );
  return (count * 1_000) / ms;
}
