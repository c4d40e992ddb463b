import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { isCoded } from "../base/errors.ts";
import { localPrincipal } from "../model/principal.ts";
import { Branch } from "./branch.ts";
import { listCommits } from "./commits.ts";
import { inspectRepo } from "./repos.ts";
import { never, openTestPfs, type TestPfs } from "./testing/open-test-pfs.ts";

const at = (id: string): { repo: string; id: string } => ({ repo: "r", id });
const finishing = { waitMs: 0, signal: never };

function branch(pfs: TestPfs, name = "master"): Branch {
  return new Branch(pfs.deps, localPrincipal, { repo: "r", name });
}

async function put(one: Branch, path: string, text: string): Promise<string> {
  const file = { path, overwrite: true, content: Buffer.from(text) };
  return (await one.put(file, never)).commit.id;
}

async function finished(pfs: TestPfs): Promise<string[]> {
  const query = { include: [{ repo: "r" }], exclude: [], provenance: [] } as const;
  const listing = { type: "READ", status: "NORMAL", block: false, signal: never } as const;
  const infos = await listCommits(pfs.deps, localPrincipal, { ...query, ...listing });
  return infos.map(({ id }) => id);
}

describe("Branch.put()", () => {
  it("makes the repo, starts a commit and goes on writing to it", async (t) => {
    const pfs = openTestPfs(t);
    const master = branch(pfs);
    assert.equal(await put(master, "a", "1"), "master/0");
    assert.equal(await put(master, "d/b", "2"), "master/0");
    assert.equal(await put(master, "a", "one"), "master/0");
    assert.deepEqual(await pfs.files(at("master")), { a: "one", d: null, "d/b": "2" });
    assert.equal((await master.finish(finishing)).id, "master/0");
    assert.equal(await put(master, "a", "3"), "master/1");
    assert.equal(await pfs.get(at("master/0"), "a"), "one");
    assert.equal(await pfs.get(at("master"), "a"), "3");
  });

  it("starts one commit when many write at once", async (t) => {
    const pfs = openTestPfs(t);
    const paths = Array.from({ length: 20 }, (_, i) => `f${i}`);
    const ids = await Promise.all(paths.map(async (path) => await put(branch(pfs), path, path)));
    assert.deepEqual([...new Set(ids)], ["master/0"]);
    assert.equal((await pfs.list(at("master"))).length, 20);
  });

  it("leaves each write in just one commit when commits finish meanwhile", async (t) => {
    const pfs = openTestPfs(t);
    const master = branch(pfs);
    const writes: Promise<readonly [string, string]>[] = [];
    for (let round = 0; round < 8; round++) {
      for (let i = 0; i < 7; i++) {
        const path = `f${round}-${i}`;
        writes.push(put(master, path, "x").then((id) => [path, id] as const));
      }
      await pfs.deps.clock.sleep(round);
      await master.finish({ waitMs: 60_000, signal: never });
    }
    const written = await Promise.all(writes);
    await master.finish({ waitMs: 60_000, signal: never });
    for (const [path, id] of written) {
      const info = await pfs.inspect(at(id), path);
      assert.equal(info.commitModified.id, id, path);
    }
    assert.equal((await pfs.list(at("master"))).length, 56);
    assert.ok((await finished(pfs)).length >= 9);
  });

  it("goes to the next commit when the first finishes while the bytes come in", async (t) => {
    const pfs = openTestPfs(t);
    const master = branch(pfs);
    await put(master, "a", "1");
    const content = async function* (): AsyncGenerator<Buffer, void, void> {
      yield Buffer.from("be");
      await master.finish(finishing);
      yield Buffer.from("gun");
    };
    const file = { path: "b", overwrite: true, content: content() };
    assert.equal((await master.put(file, never)).commit.id, "master/1");
    assert.deepEqual(await pfs.files(at("master/0")), { a: "1" });
    assert.deepEqual(await pfs.files(at("master/1")), { a: "1", b: "begun" });
  });

  it("leaves nothing when the bytes break off", async (t) => {
    const pfs = openTestPfs(t);
    const content = async function* (): AsyncGenerator<Buffer, void, void> {
      yield Buffer.from("be");
      await Promise.reject(new Error("cut off"));
    };
    const file = { path: "b", overwrite: true, content: content() };
    await assert.rejects(branch(pfs).put(file, never), /cut off/);
    await assert.rejects(inspectRepo(pfs.deps, localPrincipal, "r"), (error) =>
      isCoded(error, "not_found"),
    );
  });

  it("writes nothing to a path that is a directory, or below a file", async (t) => {
    const pfs = openTestPfs(t);
    const master = branch(pfs);
    await put(master, "d/a", "1");
    for (const path of ["d", "d/a/b"])
      await assert.rejects(put(master, path, "2"), (error) =>
        isCoded(error, "failed_precondition"),
      );
    for (const path of ["", "/", "..", "../a"])
      await assert.rejects(put(master, path, "2"), (error) => isCoded(error, "invalid_argument"));
    assert.deepEqual(await pfs.files(at("master")), { d: null, "d/a": "1" });
  });

  it("takes a path of the greatest length, with as many directories as it can have", async (t) => {
    const pfs = openTestPfs(t);
    const path = "a/".repeat(200) + "a".repeat(65_000);
    await put(branch(pfs), path, "deep");
    await branch(pfs).finish(finishing);
    assert.equal(await pfs.get(at("master"), path), "deep");
  });
});

describe("Branch.delete()", () => {
  it("deletes a file and an empty directory, and starts a commit for it", async (t) => {
    const pfs = openTestPfs(t);
    const master = branch(pfs);
    await put(master, "d/a", "1");
    await master.finish(finishing);
    assert.equal((await master.delete("d/a")).commit.id, "master/1");
    assert.deepEqual(await pfs.files(at("master")), { d: null });
    await master.delete("d");
    assert.deepEqual(await pfs.files(at("master")), {});
    assert.deepEqual(await pfs.files(at("master/0")), { d: null, "d/a": "1" });
  });

  it("refuses what is not there, and a directory with files; then nothing is started", async (t) => {
    const pfs = openTestPfs(t);
    const master = branch(pfs);
    await assert.rejects(master.delete("a"), (error) => isCoded(error, "not_found"));
    await put(master, "d/a", "1");
    await master.finish(finishing);
    await assert.rejects(master.delete("b"), (error) => isCoded(error, "not_found"));
    await assert.rejects(master.delete("d"), (error) => isCoded(error, "failed_precondition"));
    assert.equal((await master.head()).id, "master/0");
  });
});

describe("Branch.delete(), of a write that conflicts with what its parent came to be", () => {
  it("makes the commit whole again", async (t) => {
    const pfs = openTestPfs(t);
    const master = branch(pfs);
    await put(master, "x", "1");
    await pfs.start("r");
    assert.equal(await put(master, "a", "2"), "master/1");
    await pfs.put(at("master/0"), "a/b", "3");
    await pfs.finish(at("master/0"));
    await assert.rejects(master.finish(finishing), (error) =>
      isCoded(error, "failed_precondition"),
    );
    await master.delete("a");
    await master.finish(finishing);
    assert.deepEqual(await pfs.files(at("master/1")), { x: "1" });
  });
});

describe("Branch.finish()", () => {
  it("gives a commit each time, and the same one to those who finish it at once", async (t) => {
    const pfs = openTestPfs(t);
    const master = branch(pfs);
    assert.equal((await master.finish(finishing)).id, "master/0");
    assert.equal((await master.finish(finishing)).id, "master/1");
    await put(master, "a", "1");
    const both = await Promise.all([1, 2].map(async () => await master.finish(finishing)));
    assert.ok(both.some(({ id }) => id === "master/2"));
    assert.deepEqual(await pfs.files(at("master/2")), { a: "1" });
  });

  it("does not wait for a parent longer than it was told", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("r");
    await pfs.start("r");
    await pfs.start("r");
    await assert.rejects(branch(pfs).finish(finishing), (error) =>
      isCoded(error, "failed_precondition"),
    );
  });
});

describe("Branch.begin()", () => {
  it("shows what the commit shows, and leaves the two to go their ways", async (t) => {
    const pfs = openTestPfs(t);
    const master = branch(pfs);
    await put(master, "a", "1");
    await master.finish(finishing);
    const dev = branch(pfs, "dev");
    assert.equal((await dev.begin("mas")).id, "master/0");
    await put(master, "a", "2");
    assert.deepEqual(await pfs.files(at("dev")), { a: "1" });
    await put(dev, "b", "3");
    assert.equal((await dev.finish(finishing)).id, "dev/0");
    assert.deepEqual(await pfs.files(at("dev")), { a: "1", b: "3" });
    assert.deepEqual(await pfs.files(at("master")), { a: "2" });
  });

  it("refuses a name that is taken, and a commit that may still change or is not there", async (t) => {
    const pfs = openTestPfs(t);
    const master = branch(pfs);
    await put(master, "a", "1");
    await assert.rejects(branch(pfs, "dev").begin("master"), (error) =>
      isCoded(error, "failed_precondition"),
    );
    await master.finish(finishing);
    await branch(pfs, "dev").begin("master/0");
    await assert.rejects(branch(pfs, "dev").begin("master/0"), (error) =>
      isCoded(error, "already_exists"),
    );
    await assert.rejects(branch(pfs, "new").begin("master/7"), (error) =>
      isCoded(error, "not_found"),
    );
    for (const name of ["", "a/b", "master/0", "a b", "x".repeat(256)])
      assert.throws(
        () => branch(pfs, name),
        (error) => isCoded(error, "invalid_argument"),
      );
  });
});
