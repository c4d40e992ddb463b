// Goal: blocks can be put, read, inspected and deleted over gRPC as in the 1.2 series.
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { API as Pfs, BlockAPI, type BlockRefs, type Delimiter } from "./gen/pfs_pb.ts";
import { CallFailed, type GrpcClient } from "./testing/grpc-client.ts";
import { openTestGrpc } from "./testing/open-test-grpc.ts";
import { refusalOf } from "./testing/wire.ts";

const m = BlockAPI.method;

async function putBlock(
  client: GrpcClient,
  values: readonly string[],
  delimiter: Delimiter = 2,
): Promise<BlockRefs> {
  const requests = values.map((value, i) => ({
    value: Buffer.from(value),
    delimiter: i === 0 ? delimiter : 0,
  }));
  const [refs] = await client.all(m.putBlock, requests);
  assert.ok(refs !== undefined);
  return refs;
}

async function getBlock(
  client: GrpcClient,
  hash: string,
  query: { offsetBytes?: bigint; sizeBytes?: bigint } = {},
): Promise<string> {
  const parts = await client.all(m.getBlock, [{ block: { hash }, ...query }]);
  return Buffer.concat(parts.map(({ value }) => value)).toString();
}

/** `hash lower upper` of each. */
function shown({ blockRef }: BlockRefs): string[] {
  return blockRef.map(
    ({ block, range }) => `${block?.hash} ${range?.lower ?? "-"} ${range?.upper ?? "-"}`,
  );
}

test("PutBlock answers hash and range of each block, GetBlock its bytes", async (t) => {
  const { client } = await openTestGrpc(t);
  const refs = await putBlock(client, ["one\n", "two\n"]);
  const name = createHash("sha512").update("one\ntwo\n").digest("base64url");
  assert.deepEqual(shown(refs), [`${name}== 0 8`]);
  assert.equal(await getBlock(client, `${name}==`), "one\ntwo\n");
  assert.equal(await getBlock(client, `${name}==`, { offsetBytes: 2n, sizeBytes: 3n }), "e\nt");
  assert.equal(await getBlock(client, `${name}==`, { offsetBytes: 4n }), "two\n");
  assert.equal(await getBlock(client, `${name}==`, { offsetBytes: 2n ** 64n - 1n }), "");
  assert.equal(await getBlock(client, `${name}==`, { sizeBytes: 2n ** 64n - 1n }), "one\ntwo\n");
});

test("PutBlock divides by the delimiter of its first message", async (t) => {
  const { client } = await openTestGrpc(t);
  const half = "0123456789abcde\n".repeat(2 ** 18);
  const values = [half, half, "rest\n"];
  assert.equal((await putBlock(client, values, 2)).blockRef.length, 2);
  assert.equal((await putBlock(client, values, 0)).blockRef.length, 1);
  assert.equal((await putBlock(client, values, 99 as Delimiter)).blockRef.length, 1);
});

test("PutBlock without messages has no blocks; an empty message is an empty block", async (t) => {
  const { client } = await openTestGrpc(t);
  assert.deepEqual((await putBlock(client, [])).blockRef, []);
  const [empty] = (await putBlock(client, [""])).blockRef;
  assert.equal(await getBlock(client, empty?.block?.hash ?? ""), "");
});

test("InspectBlock has size and time, DeleteBlock removes, and what is not there is named", async (t) => {
  const { client } = await openTestGrpc(t);
  const before = BigInt(Date.now());
  const [ref] = (await putBlock(client, ["x"])).blockRef;
  const { hash = "" } = ref?.block ?? {};
  const info = await client.one(m.inspectBlock, { block: { hash } });
  assert.deepEqual([info.block?.hash, info.sizeBytes], [hash, 1n]);
  assert.ok(info.created !== undefined && info.created.seconds * 1_000n + 1_000n >= before);
  await client.one(m.deleteBlock, { block: { hash } });
  for (const call of [
    client.all(m.getBlock, [{ block: { hash } }]),
    client.one(m.inspectBlock, { block: { hash } }),
    client.one(m.deleteBlock, { block: { hash } }),
  ])
    assert.equal(await refusalOf(call), `block ${hash} not found`);
  assert.equal(await refusalOf(client.one(m.inspectBlock, {})), "block cannot be nil");
  assert.equal(await refusalOf(client.one(m.listBlock, {})), "not implemented");
});

test("blocks outlive repos, but not DeleteAll", async (t) => {
  const { client } = await openTestGrpc(t);
  await client.one(Pfs.method.createRepo, { repo: { name: "r" } });
  const [ref] = (await putBlock(client, ["x"])).blockRef;
  const { hash = "" } = ref?.block ?? {};
  await client.one(Pfs.method.deleteRepo, { repo: { name: "r" } });
  assert.equal(await getBlock(client, hash), "x");
  await client.one(Pfs.method.deleteAll, {});
  await assert.rejects(getBlock(client, hash), CallFailed);
});
