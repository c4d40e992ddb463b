// Goal: what clients of the 1.2 series rely on, field by field and text by text.
import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { systemClock } from "../../base/clock.ts";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { API as Pfs, CommitType, FileType, ListFileMode } from "./gen/pfs_pb.ts";
import type { GrpcClient } from "./testing/grpc-client.ts";
import { openTestGrpc } from "./testing/open-test-grpc.ts";
import { get, put, refusalOf, wireCommit, wireFile } from "./testing/wire.ts";

const m = Pfs.method;

async function openRepo(t: Parameters<typeof openTestGrpc>[0]): Promise<GrpcClient> {
  const { client } = await openTestGrpc(t);
  await client.one(m.createRepo, { repo: { name: "r" } });
  return client;
}

async function openCommit(t: Parameters<typeof openTestGrpc>[0]): Promise<GrpcClient> {
  const client = await openRepo(t);
  await client.one(m.startCommit, { parent: wireCommit("r", "master") });
  return client;
}

async function finish(client: GrpcClient, id = "master/0"): Promise<void> {
  await client.one(m.finishCommit, { commit: wireCommit("r", id) });
}

function microsOf(timestamp: Timestamp | undefined): number {
  assert.ok(timestamp !== undefined);
  return Number(timestamp.seconds) * 1e6 + timestamp.nanos / 1e3;
}

describe("repos over gRPC", () => {
  it("have provenance where they are inspected and not where they are listed", async (t) => {
    const client = await openRepo(t);
    await client.one(m.createRepo, { repo: { name: "s" }, provenance: [{ name: "r" }] });
    const info = await client.one(m.inspectRepo, { repo: { name: "s" } });
    assert.deepEqual(
      info.provenance.map(({ name }) => name),
      ["r"],
    );
    assert.ok(microsOf(info.created) > 0);
    const { repoInfo } = await client.one(m.listRepo, {});
    assert.deepEqual(
      repoInfo.map(({ repo, provenance }) => [repo?.name, provenance.length]),
      [
        ["r", 0],
        ["s", 0],
      ],
    );
    const made = await client.one(m.listRepo, { provenance: [{ name: "r" }] });
    assert.equal(made.repoInfo.length, 1);
  });

  it("are refused in the words of the 1.2 series", async (t) => {
    const client = await openRepo(t);
    await client.one(m.createRepo, { repo: { name: "s" }, provenance: [{ name: "r" }] });
    const create = async (name: string, ...from: string[]): Promise<string> =>
      await refusalOf(
        client.one(m.createRepo, {
          repo: { name },
          provenance: from.map((upstream) => ({ name: upstream })),
        }),
      );
    assert.equal(await create("r"), "repo r exists");
    assert.equal(
      await create("a-b"),
      "repo name (a-b) invalid: only alphanumeric and underscore characters allowed",
    );
    assert.equal(
      await create("t", "nope"),
      "could not create repo t, not all provenance repos exist",
    );
    assert.equal(await refusalOf(client.one(m.createRepo, {})), "repo cannot be nil");
    assert.equal(
      await refusalOf(client.one(m.inspectRepo, { repo: { name: "nope" } })),
      "repo nope not found",
    );
    assert.equal(
      await refusalOf(client.one(m.deleteRepo, { repo: { name: "r" } })),
      "cannot delete repo r; it's the provenance of the following repos: [s]",
    );
    await client.one(m.deleteRepo, { repo: { name: "nope" } });
    await client.one(m.deleteRepo, { repo: { name: "r" }, force: true });
  });
});

describe("commits over gRPC", () => {
  it("have times between those the caller sees before and after", async (t) => {
    const client = await openRepo(t);
    const clock = systemClock();
    for (let n = 0; n < 5; n++) {
      const before = clock.nowMicros();
      await client.one(m.startCommit, { parent: wireCommit("r", "master") });
      await finish(client, `master/${n}`);
      const after = clock.nowMicros();
      const info = await client.one(m.inspectCommit, { commit: wireCommit("r", `master/${n}`) });
      const [started, finished] = [microsOf(info.started), microsOf(info.finished)];
      assert.ok(before < started && started < finished && finished < after);
    }
  });

  it("leave unset what is not there", async (t) => {
    const client = await openCommit(t);
    const open = await client.one(m.inspectCommit, { commit: wireCommit("r", "master") });
    assert.equal(open.commit?.id, "master/0");
    assert.equal(open.commitType, CommitType.WRITE);
    assert.equal(open.finished, undefined);
    assert.equal(open.parentCommit, undefined);
    await finish(client);
    const next = await client.one(m.startCommit, { parent: wireCommit("r", "master") });
    assert.equal(next.id, "master/1");
    const { commitInfo } = await client.one(m.listCommit, { include: [wireCommit("r", "")] });
    assert.deepEqual(
      commitInfo.map(({ commit, parentCommit, commitType }) => [
        commit?.id,
        parentCommit?.id,
        commitType,
      ]),
      [
        ["master/0", undefined, CommitType.READ],
        ["master/1", "master/0", CommitType.WRITE],
      ],
    );
  });

  it("are refused in the words of the 1.2 series", async (t) => {
    const client = await openCommit(t);
    const say = refusalOf;
    await finish(client);
    assert.equal(
      await say(client.one(m.startCommit, { parent: wireCommit("r", "") })),
      "Invalid parent commit: r/",
    );
    assert.equal(
      await say(client.one(m.startCommit, { parent: wireCommit("r", "zz/2") })),
      "commit zz/2 not found in repo r",
    );
    await client.one(m.startCommit, { parent: wireCommit("r", "master/0") });
    assert.equal(
      await say(client.one(m.startCommit, { parent: wireCommit("r", "master/0") })),
      "commit r:master:1 already exists in repo r",
    );
    assert.equal(
      await say(client.one(m.inspectCommit, { commit: wireCommit("r", "nope") })),
      "commit nope not found in repo r",
    );
    assert.equal(
      await say(client.one(m.startCommit, { parent: wireCommit("q", "master") })),
      "repo q not found",
    );
    assert.equal(
      await say(put(client, wireFile("r", "f"), "x")),
      "commit r:master:0 in repo r has already finished",
    );
    assert.equal(
      await say(client.one(m.deleteCommit, { commit: wireCommit("r") })),
      "DeleteCommit is not implemented",
    );
    assert.equal(
      await say(client.one(m.archiveCommit, { commits: [wireCommit("r", "master")] })),
      "invalid commit ID master",
    );
  });

  it("are forked, squashed, replayed, archived and flushed", async (t) => {
    const client = await openCommit(t);
    await put(client, wireFile("r", "a"), "1\n");
    await finish(client);
    const forked = await client.one(m.forkCommit, { parent: wireCommit("r"), branch: "b" });
    assert.equal(forked.id, "b/0");
    await put(client, wireFile("r", "b", "b/0"), "2\n");
    await finish(client, "b/0");
    await client.one(m.startCommit, { parent: wireCommit("r", "master") });
    await client.one(m.squashCommit, {
      fromCommits: [wireCommit("r", "b/0")],
      toCommit: wireCommit("r", "master/1"),
    });
    await finish(client, "master/1");
    assert.equal(await get(client, wireFile("r", "b", "master/1")), "2\n");
    const replayed = await client.one(m.replayCommit, {
      fromCommits: [wireCommit("r", "b/0")],
      toBranch: "c",
    });
    assert.deepEqual(
      replayed.commit.map(({ id }) => id),
      ["c/0", "c/1"],
    );
    const flushed = await client.one(m.flushCommit, { commit: [wireCommit("r")] });
    assert.equal(flushed.commitInfo.length, 1);
    await client.one(m.archiveCommit, { commits: [wireCommit("r", "c/1")] });
    const { branches } = await client.one(m.listBranch, { repo: { name: "r" } });
    assert.deepEqual(branches, ["b", "master"]);
    await client.one(m.archiveAll, {});
    assert.deepEqual((await client.one(m.listCommit, {})).commitInfo, []);
    await client.one(m.deleteAll, {});
    assert.deepEqual((await client.one(m.listRepo, {})).repoInfo, []);
  });

  it("wait: a blocking list for the first that matches, a finish for its parent", async (t) => {
    const client = await openCommit(t);
    const include = [wireCommit("r", "")];
    const finished = client.one(m.listCommit, { include, commitType: 1, block: true });
    await client.one(m.startCommit, { parent: wireCommit("r", "master") });
    const second = finish(client, "master/1");
    await finish(client);
    await second;
    assert.equal((await finished).commitInfo.length, 1);
  });
});

describe("files over gRPC", () => {
  it("are appended to, message by message; only the first says which file", async (t) => {
    const client = await openCommit(t);
    await put(client, wireFile("r", "/d//f"), "a\n", "b\n", "c\n");
    await put(client, wireFile("r", "d/f"), "d\n");
    await put(client, wireFile("r", "empty"));
    await client.all(m.putFile, []);
    await finish(client);
    assert.equal(await get(client, wireFile("r", "d/f")), "a\nb\nc\nd\n");
    const info = await client.one(m.inspectFile, { file: wireFile("r", "empty") });
    assert.deepEqual([info.fileType, info.sizeBytes], [FileType.REGULAR, 0n]);
  });

  it("of many MB come and go as one message, and are read in messages that every client takes", async (t) => {
    const client = await openCommit(t);
    const value = Buffer.alloc(18_000_000, "0123456789abcde\n");
    await client.all(m.putFile, [{ file: wireFile("r", "big"), value, delimiter: 2 }]);
    await finish(client);
    const parts = await client.all(m.getFile, [{ file: wireFile("r", "big") }]);
    assert.ok(parts.every((part) => part.value.length <= 2 ** 20));
    assert.ok(Buffer.concat(parts.map((part) => part.value)).equals(value));
  });

  it("are read from an offset, a size of 0 to the end, nothing behind it", async (t) => {
    const client = await openCommit(t);
    await put(client, wireFile("r", "f"), "0123456789");
    const file = wireFile("r", "f");
    assert.equal(await get(client, file, { offsetBytes: 7n }), "789");
    assert.equal(await get(client, file, { offsetBytes: 2n, sizeBytes: 3n }), "234");
    assert.equal(await get(client, file, { offsetBytes: 8n, sizeBytes: 30n }), "89");
    assert.equal(await get(client, file, { offsetBytes: 2n ** 62n }), "");
    assert.match(await refusalOf(get(client, file, { offsetBytes: -1n })), /at least 0/);
  });

  it("have the commit that touched them last, directories too, and echo what was asked for", async (t) => {
    const client = await openCommit(t);
    await put(client, wireFile("r", "d/f"), "12");
    await put(client, wireFile("r", "g"), "123");
    await finish(client);
    const root = { commit: wireCommit("r", "master"), path: "" };
    const { fileInfo } = await client.one(m.listFile, { file: root });
    assert.deepEqual(
      fileInfo.map((info) => [
        info.file?.path,
        info.file?.commit?.id,
        info.fileType,
        info.sizeBytes,
        info.commitModified?.id,
      ]),
      [
        ["/d", "master", FileType.DIR, 0n, "master/0"],
        ["/g", "master", FileType.REGULAR, 3n, "master/0"],
      ],
    );
    const dir = await client.one(m.inspectFile, { file: wireFile("r", "d") });
    assert.equal(dir.commitModified?.id, "master/0");
    assert.deepEqual(
      dir.children.map(({ path }) => path),
      ["/d/f"],
    );
  });

  it("are listed with sizes of everything below, or with none", async (t) => {
    const client = await openCommit(t);
    await put(client, wireFile("r", "d/f"), "12");
    const sizes = async (mode: ListFileMode): Promise<(string | undefined)[]> => {
      const { fileInfo } = await client.one(m.listFile, { file: wireFile("r", "/"), mode });
      return fileInfo.map(({ file, sizeBytes }) => `${file?.path} ${sizeBytes}`);
    };
    assert.deepEqual(await sizes(ListFileMode.ListFile_RECURSE), ["/d 2", "/d/f 2"]);
    assert.deepEqual(await sizes(ListFileMode.ListFile_FAST), ["/d 0"]);
    const shard = { blockModulus: 2n };
    assert.equal(
      await refusalOf(client.one(m.listFile, { file: wireFile("r", "/"), mode: 1, shard })),
      "the FAST mode of ListFile does not support block shards",
    );
  });

  it("of which there are more than a page are listed all", async (t) => {
    const daemon = await openTestGrpc(t);
    await daemon.pfs.repo("r");
    const id = await daemon.pfs.start("r");
    const files = Array.from({ length: 2_001 }, (_, i) => ({
      path: `f${i}`,
      overwrite: false,
      content: Buffer.alloc(0),
    }));
    await daemon.pfs.putAll({ repo: "r", id }, files);
    const { fileInfo } = await daemon.client.one(m.listFile, { file: wireFile("r", "") });
    assert.equal(fileInfo.length, files.length);
  });

  it("fall into one shard of each kind; moduli of 0 and 1 show all", async (t) => {
    const client = await openCommit(t);
    for (const path of ["a", "b", "c", "d"]) await put(client, wireFile("r", path), `${path}\n`);
    for (const kind of ["file", "block"]) {
      let shown = "";
      for (const number of [0n, 1n, 2n]) {
        const shard = { [`${kind}Number`]: number, [`${kind}Modulus`]: 3n };
        const { fileInfo } = await client.one(m.listFile, { file: wireFile("r", ""), shard });
        for (const { file } of fileInfo) shown += file?.path;
      }
      assert.deepEqual([...shown].toSorted(), [..."////abcd"]);
    }
    for (const modulus of [0n, 1n]) {
      const number = modulus === 0n ? 3n : 0n;
      const shard = { fileNumber: number, fileModulus: modulus, blockModulus: modulus };
      const { fileInfo } = await client.one(m.listFile, { file: wireFile("r", ""), shard });
      assert.equal(fileInfo.length, 4);
    }
  });

  it("show what is new since a commit", async (t) => {
    const client = await openCommit(t);
    await put(client, wireFile("r", "f"), "old\n");
    await put(client, wireFile("r", "same"), "same\n");
    await finish(client);
    await client.one(m.startCommit, { parent: wireCommit("r", "master") });
    await put(client, wireFile("r", "f", "master/1"), "new\n");
    await finish(client, "master/1");
    const file = wireFile("r", "f", "master/1");
    const fromCommit = wireCommit("r");
    assert.equal(await get(client, file, { diffMethod: { fromCommit } }), "new\n");
    const diffMethod = { fromCommit, fullFile: true };
    assert.equal(await get(client, file, { diffMethod }), "old\nnew\n");
    assert.equal(await get(client, wireFile("r", "same", "master/1"), { diffMethod }), "");
    assert.match(
      await refusalOf(get(client, wireFile("r", "nope", "master/1"), { diffMethod })),
      /not found/,
    );
    // Without a commit there is nothing to compare with.
    assert.equal(await get(client, file, { diffMethod: { fullFile: true } }), "old\nnew\n");
  });

  it("are refused in the words of the 1.2 series", async (t) => {
    const client = await openCommit(t);
    const say = refusalOf;
    await put(client, wireFile("r", "d/f"), "x");
    const dir = { file: wireFile("r", "m"), fileType: FileType.DIR };
    await client.all(m.putFile, [dir]);
    assert.equal(
      await say(client.all(m.putFile, [{ ...dir, value: Buffer.from("x") }])),
      "PutFileRequest shouldn't have type dir and a value",
    );
    assert.equal(await say(put(client, wireFile("r", "d"), "x")), "file type conflict");
    assert.equal(await say(put(client, wireFile("r", "d/f/g"), "x")), "file type conflict");
    assert.equal(
      await say(put(client, wireFile("r", "a\0b"), "x")),
      "filename cannot contain null character: a\0b",
    );
    assert.equal(
      await say(client.one(m.inspectFile, { file: wireFile("r", "nope", "master") })),
      "file /nope not found in repo r at commit master",
    );
    assert.equal(
      await say(client.one(m.inspectFile, { file: wireFile("r", "/") })),
      "file / not found in repo r at commit master/0",
    );
    assert.equal(await say(get(client, wireFile("r", "d"))), "file r/master/0//d is directory");
    assert.equal(
      await say(get(client, wireFile("r", "f", "b/7"))),
      "commit b/7 not found in repo r",
    );
  });

  it("are deleted; what is not there is no error", async (t) => {
    const client = await openCommit(t);
    await put(client, wireFile("r", "d/f"), "x");
    for (const path of ["nope", "d"]) await client.one(m.deleteFile, { file: wireFile("r", path) });
    const { fileInfo } = await client.one(m.listFile, { file: wireFile("r", "") });
    assert.deepEqual(fileInfo, []);
  });
});
