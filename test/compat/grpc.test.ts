// Goal: what the 1.2 series says of the wire, of blocks and of limits holds, or differs as differences.md says.
// test/compat/contract.tsv names these tests.
import { strict as assert } from "node:assert";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { test } from "node:test";
import { MiB } from "../../src/base/size.ts";
import { API as Pfs, PutFileRequestSchema } from "../../src/api/grpc/gen/pfs_pb.ts";
import { framed, type GrpcClient } from "../../src/api/grpc/testing/grpc-client.ts";
import { openTestGrpc, type TestGrpc } from "../../src/api/grpc/testing/open-test-grpc.ts";
import { get, put, refusalOf, wireCommit, wireFile } from "../../src/api/grpc/testing/wire.ts";
import { localPrincipal } from "../../src/model/principal.ts";
import { flushCommits } from "../../src/pfs/flush-commit.ts";
import { never } from "../../src/pfs/testing/open-test-pfs.ts";

const m = Pfs.method;

async function openCommit(t: Parameters<typeof openTestGrpc>[0]): Promise<TestGrpc> {
  const daemon = await openTestGrpc(t);
  await daemon.pfs.repo("r");
  await daemon.pfs.start("r");
  return daemon;
}

const line = "0123456789abcde\n";
/** Lines of which no two MiB are alike, so that no two blocks are. */
const stream = Array.from({ length: MiB + 3 }, (_, n) => String(n).padStart(15, "0") + "\n").join(
  "",
);

/** Of how many blocks a file is, as far as shards tell: each of these falls into a shard of its own. */
async function blocksOf(client: GrpcClient, path: string): Promise<number> {
  let shards = 0;
  const blockModulus = 64n;
  for (let blockNumber = 0n; blockNumber < blockModulus; blockNumber++) {
    const shard = { blockNumber, blockModulus };
    const listing = { file: wireFile("r", ""), shard };
    const { fileInfo } = await client.one(m.listFile, listing);
    if (fileInfo.some(({ file }) => file?.path === `/${path}`)) shards++;
  }
  return shards;
}

test("a put of lines has a block for each 8 MiB, one of binary data is one block, by delimiter or suffix", async (t) => {
  const { client, pfs } = await openCommit(t);
  const value = Buffer.from(stream);
  const puts = { lines: 2, binary: 0 } as const;
  for (const [path, delimiter] of Object.entries(puts) as [string, 0 | 2][])
    await client.all(m.putFile, [{ file: wireFile("r", path), value, delimiter }]);
  const commit = { repo: "r", id: "master/0" };
  for (const path of ["file", "file.bin"])
    await pfs.putAll(commit, [{ path, overwrite: false, content: value }]);
  const counts: Record<string, number> = {};
  for (const path of ["lines", "binary", "file", "file.bin"])
    counts[path] = await blocksOf(client, path);
  assert.deepEqual(counts, { lines: 3, binary: 1, file: 3, "file.bin": 1 });
});

test("a fetched url is divided as the request says, whatever its Content-Type", async (t) => {
  const { client } = await openCommit(t);
  const server = createServer((_, response) => {
    response.setHeader("content-type", "application/octet-stream").end(stream);
  }).listen(0, "127.0.0.1");
  t.after(async () => {
    server.close();
    await once(server, "close");
  });
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/lines`;
  await client.all(m.putFile, [{ file: wireFile("r", "lines"), url, delimiter: 2 }]);
  assert.equal(await blocksOf(client, "lines"), 3);
});

test("puts at once are in the order in which they end", async (t) => {
  const { client } = await openCommit(t);
  const message = (text: string, file = {}): Buffer =>
    framed(
      toBinary(
        PutFileRequestSchema,
        create(PutFileRequestSchema, { ...file, delimiter: 2, value: Buffer.from(text) }),
      ),
    );
  const ending = Promise.withResolvers<void>();
  async function* slow(): AsyncGenerator<Buffer> {
    yield message("first to begin\n", { file: wireFile("r", "f") });
    await ending.promise;
  }
  const first = client.bytes("/pfs.API/PutFile", slow());
  await put(client, wireFile("r", "f"), "first to end\n");
  ending.resolve();
  assert.equal((await first).status, 0);
  assert.equal(await get(client, wireFile("r", "f")), "first to end\nfirst to begin\n");
});

test("the name of a repo has 255 characters at most", async (t) => {
  const { client } = await openTestGrpc(t);
  await client.one(m.createRepo, { repo: { name: "x".repeat(255) } });
  assert.match(
    await refusalOf(client.one(m.createRepo, { repo: { name: "x".repeat(256) } })),
    /^repo name \(x+.*\) invalid: only alphanumeric and underscore characters allowed/,
  );
});

test("a repo that never gets a commit is waited for", async (t) => {
  const { pfs } = await openTestGrpc(t);
  await pfs.repo("r");
  await pfs.repo("made", "r");
  await pfs.commit("r");
  const commits = [{ repo: "r", id: "master/0" }];
  const flush = { commits, toRepos: [], waitMs: 30, signal: never };
  const { done, waitingFor } = await flushCommits(pfs.deps, localPrincipal, flush);
  assert.deepEqual([done, waitingFor], [false, ["made"]]);
});

test("a flush that fails names the commit over gRPC as 1.2 did, and as it can be typed elsewhere", async (t) => {
  const { client, pfs } = await openTestGrpc(t);
  await pfs.repo("r");
  await pfs.repo("made", "r");
  await pfs.commit("r");
  const provenance = [{ repo: "r", id: "master/0" }];
  await pfs.cancel({ repo: "made", id: await pfs.start("made", "master", provenance) });
  const flush = { commits: provenance, toRepos: [], waitMs: 0, signal: never };
  await assert.rejects(flushCommits(pfs.deps, localPrincipal, flush), {
    message: /^commit made\/master\/0 was cancelled/,
  });
  assert.equal(
    await refusalOf(client.one(m.flushCommit, { commit: [wireCommit("r")] })),
    "commit made/made:master:0 was cancelled",
  );
});

test("services that the parts of a cluster used are not there", async (t) => {
  const { client } = await openTestGrpc(t);
  for (const path of [
    "/pps.InternalPodAPI/StartPod",
    "/pps.InternalPodAPI/ContinuePod",
    "/pps.InternalPodAPI/FinishPod",
    "/pachyderm.pps.persist.API/ListJobInfos",
    "/groupcachepb.GroupCache/Get",
  ])
    assert.equal((await client.bytes(path, [framed(Buffer.alloc(0))])).status, 12, path);
});

test("metadata for reports of usage is ignored", async (t) => {
  const { client } = await openTestGrpc(t);
  const headers = { userid: "0123456789abcdef", prefix: "user" };
  assert.deepEqual((await client.one(m.listRepo, {}, { headers })).repoInfo, []);
});

test("a message of many MB is one put, and one without a file is refused", async (t) => {
  const { client } = await openCommit(t);
  const value = Buffer.alloc(40 * MiB, line);
  await client.all(m.putFile, [{ file: wireFile("r", "big"), value, delimiter: 2 }]);
  const info = await client.one(m.inspectFile, { file: wireFile("r", "big") });
  assert.equal(info.sizeBytes, BigInt(value.length));
  await refusalOf(client.all(m.putFile, [{ value: Buffer.from("x") }]));
});

test("moduli that no number of JavaScript can hold show nothing, and a shard that is none of them is refused", async (t) => {
  const { client } = await openCommit(t);
  await put(client, wireFile("r", "f"), "x");
  const list = async (shard: object): Promise<number> =>
    (await client.one(m.listFile, { file: wireFile("r", ""), shard })).fileInfo.length;
  const most = 2n ** 64n - 1n;
  for (const kind of ["file", "block"]) {
    const shard = (number: bigint): object => ({
      [`${kind}Number`]: number,
      [`${kind}Modulus`]: most,
    });
    assert.equal(await list(shard(most - 1n)), 0);
    assert.match(await refusalOf(list(shard(most))), /^Cannot use shard/);
  }
});

test("enums that nobody knows mean the first of their kind", async (t) => {
  const { client } = await openCommit(t);
  const [fileType, delimiter, mode, status] = [9, 9, 9, 9] as never[];
  await client.all(m.putFile, [
    {
      file: wireFile("r", "f"),
      fileType: fileType!,
      delimiter: delimiter!,
      value: Buffer.from("x"),
    },
  ]);
  const { fileInfo } = await client.one(m.listFile, { file: wireFile("r", ""), mode: mode! });
  assert.deepEqual(
    fileInfo.map(({ sizeBytes }) => sizeBytes),
    [1n],
  );
  await client.one(m.finishCommit, { commit: wireCommit("r"), cancel: true });
  const { commitInfo } = await client.one(m.listCommit, { status: status! });
  assert.deepEqual(commitInfo, []);
});

test("messages without their parts are refused in words", async (t) => {
  const daemon = await openCommit(t);
  const { client } = daemon;
  const calls = [
    client.one(m.createRepo, {}),
    client.one(m.inspectRepo, {}),
    client.one(m.startCommit, {}),
    client.one(m.forkCommit, {}),
    client.one(m.finishCommit, {}),
    client.one(m.inspectCommit, {}),
    client.one(m.archiveCommit, { commits: [{}] }),
    client.one(m.listCommit, { include: [{}] }),
    client.one(m.flushCommit, { commit: [{}] }),
    client.one(m.squashCommit, {}),
    client.one(m.replayCommit, {}),
    client.one(m.listBranch, {}),
    client.all(m.putFile, [{}]),
    client.all(m.getFile, [{}]),
    client.one(m.inspectFile, {}),
    client.one(m.listFile, {}),
    client.one(m.deleteFile, {}),
  ];
  for (const call of calls) assert.match(await refusalOf(call), /[a-z]/);
  assert.deepEqual(daemon.errors, []);
});
