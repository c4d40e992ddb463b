import { createReadStream, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  FileType,
  GetFileRequestSchema,
  PutFileRequestSchema,
  type FileSchema,
} from "../src/api/grpc/gen/pfs_pb.ts";
import type { Bed, Row } from "./bench.ts";
import { receive, sendFile } from "./http.ts";
import { randomBytes, textLines, writeSlices } from "./inputs.ts";
import { race, rates } from "./measure.ts";
import { copy } from "./programs.ts";
import { RawGrpc } from "./raw-grpc.ts";

/** A large file in, as a commit of its own, and out again: beside `cp`, and beside a bare HTTP server. */
export async function* largeFiles(bed: Bed): AsyncGenerator<Row, void, void> {
  const bytes = bed.sizeBytes ?? (bed.full ? 1 << 30 : 1 << 28);
  for (const [kind, slices] of [
    ["random", randomBytes],
    ["text", textLines],
  ] as const) {
    await bed.client.repos.create(kind);
    yield* measureKind(bed, kind, (round) => slices(bytes, round));
  }
}

async function* measureKind(
  bed: Bed,
  kind: string,
  slices: (round: number) => Iterable<Buffer>,
): AsyncGenerator<Row, void, void> {
  const file = join(bed.folder, kind);
  const copied = join(bed.folder, "copied");
  const api = `http://${bed.daemon.address}/api/v1/repos/${kind}`;
  const grpc = new RawGrpc(bed.daemon.address);
  const master = { repo: { name: kind }, id: "master" };
  const times = await race({
    rounds: 3,
    // Other bytes in each round: what is stored already would not be stored again.
    async prepare(round) {
      rmSync(copied, { force: true });
      await writeSlices(file, slices(round));
    },
    runners: {
      put: (round) => sendFile(`${api}/branches/master/files/${round}`, file),
      sink: () => sendFile(`${bed.sink.url}/hash`, file),
      copySynced: () => copy(file, copied, true),
      grpcPut: async (round) => {
        const commit = await bed.client.commits.start(kind, "grpc");
        await grpc.stream("/pfs.API/PutFile", putMessages(file, commit.id, kind, round));
        await bed.client.commits.finish(commit);
      },
      grpcGet: (round) =>
        grpc.call("/pfs.API/GetFile", GetFileRequestSchema, {
          file: { commit: master, path: String(round) },
        }),
      get: (round) => receive(`${api}/commits/master/files/${round}`),
      bareGet: () => receive(`${bed.sink.url}${file}`),
      copy: () => copy(file, copied, false),
    },
  });
  grpc.close();
  const { size } = statSync(file);
  const row = (
    what: string,
    own: readonly number[],
    peer: string,
    peers: readonly number[],
  ): Row => ({
    what: `${what} (${kind}, ${Math.round(size / 2 ** 20)} MiB)`,
    unit: "MB/s",
    values: rates(size, own),
    peer: { what: peer, values: rates(size, peers) },
  });
  yield row("ingest", times.put, "cp + sync", times.copySynced);
  yield row("ingest", times.put, "bare HTTP + SHA-256", times.sink);
  yield row(
    "ingest over gRPC, what is there already",
    times.grpcPut,
    "cp + sync",
    times.copySynced,
  );
  yield row("read over gRPC", times.grpcGet, "bare HTTP", times.bareGet);
  yield row("read", times.get, "cp", times.copy);
  yield row("read", times.get, "bare HTTP", times.bareGet);
}

/** A file as the messages of one PutFile. */
async function* putMessages(
  path: string,
  commit: string,
  repo: string,
  round: number,
): AsyncGenerator<Uint8Array, void, void> {
  let file: MessageInitShape<typeof FileSchema> | undefined = {
    commit: { repo: { name: repo }, id: commit },
    path: String(round),
  };
  for await (const value of createReadStream(path, { highWaterMark: 1 << 20 })) {
    const request = { fileType: FileType.REGULAR, value: value as Buffer, ...(file && { file }) };
    yield toBinary(PutFileRequestSchema, create(PutFileRequestSchema, request));
    file = undefined;
  }
}
