import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CodedError, isCoded } from "../../base/errors.ts";
import type { FileSystem } from "../../base/file-system.ts";
import { seededRandom, systemRandom } from "../../base/random.ts";
import type { ObjectStore } from "../object-store.ts";
import { keysOf, objectStoreConformance, put, textOf } from "../testing/conformance.ts";
import { networkMount } from "../testing/network-mount.ts";
import { type FileOperation, observedFileSystem } from "../testing/observed-file-system.ts";
import { openLocalObjectStore } from "./open-local.ts";

objectStoreConformance("local", async (t) => await openAt(await newRoot(t)));

objectStoreConformance(
  "local, on a network mount",
  async (t) => await openAt(await newRoot(t), networkMount(fs)),
);

it("seal() fails when its draft is gone and nothing new is in its place", async (t) => {
  const root = await newRoot(t);
  const store = await openAt(root);
  await put(store, "key", "old");
  // The clock of a disk moves in steps.
  await sleep(50);
  const writer = await store.create("key", {});
  await writer.write([Buffer.from("new")]);
  for (const draft of await fs.readdir(join(root, "tmp")))
    await fs.unlink(join(root, "tmp", draft));
  await assert.rejects(writer.seal(), (thrown) => isCoded(thrown, "unavailable"));
  assert.equal(await textOf(store, "key"), "old");
  await store.close();
});

it("list() leaves out what a network file system keeps of removed files", async (t) => {
  const root = await newRoot(t);
  const store = await openAt(root);
  await put(store, "packs/ab/one", "x");
  await fs.writeFile(join(root, "objects/packs/ab/.nfs0000000000000001"), "removed, but open");
  assert.deepEqual(await keysOf(store, ""), ["packs/ab/one"]);
});

it("read() opens a file again that its server has forgotten", async (t) => {
  const root = await newRoot(t);
  await put(await openAt(root), "key", "text");
  let isStale = true;
  const mount = new Proxy<FileSystem>(fs, {
    get(target, name) {
      if (name !== "open") return Reflect.get(target, name) as unknown;
      return async (...called: Parameters<FileSystem["open"]>) => {
        const handle = await fs.open(...called);
        if (called[1] === "r")
          handle.read = staleOnce(handle.read.bind(handle), () => isStale && !(isStale = false));
        return handle;
      };
    },
  });
  const store = await openAt(root, mount);
  assert.equal(await textOf(store, "key"), "text");
  assert.equal(isStale, false);
  await store.close();
});

/** Fails as NFS does for a file that is known no more. */
function staleOnce<T extends (...called: never[]) => unknown>(read: T, isStale: () => boolean): T {
  return ((...called: never[]) => {
    if (isStale())
      throw Object.assign(new Error("stale file handle"), {
        code: "Unknown system error -116",
        errno: -116,
      });
    return read(...called);
  }) as T;
}

it("openLocalObjectStore() removes drafts that a crash left", async (t) => {
  const root = await newRoot(t);
  const store = await openAt(root);
  await put(store, "kept", "x");
  const lost = await store.create("lost", {});
  await lost.write([Buffer.from("half")]);
  assert.equal((await fs.readdir(join(root, "tmp"))).length, 1);
  const reopened = await openAt(root);
  assert.deepEqual(await fs.readdir(join(root, "tmp")), []);
  assert.deepEqual(await keysOf(reopened, ""), ["kept"]);
  await lost.abort();
  await store.close();
});

it("openLocalObjectStore() names the folder it may not use", async (t) => {
  const root = await newRoot(t);
  const denied = failingOn((operation) => operation.name === "mkdir", "EACCES");
  await assert.rejects(openAt(root, denied), (thrown) => {
    assert.ok(isCoded(thrown, "permission_denied"));
    assert.ok(thrown.message.includes(root));
    return true;
  });
});

it("create() says what to do when the disk is full", async (t) => {
  const full = failingOn((operation) => operation.name === "writev", "ENOSPC");
  const store = await openAt(await newRoot(t), full);
  await assert.rejects(put(store, "new", "x"), (thrown) => {
    assert.ok(isCoded(thrown, "resource_exhausted"));
    assert.match(
      thrown.message,
      /^Cannot write object "new": the disk of .+ is full \(ENOSPC\)\. Free space/,
    );
    return true;
  });
});

it("create() refuses a key that is a folder of another", async (t) => {
  const store = await openAt(await newRoot(t));
  await put(store, "a/b", "x");
  await assert.rejects(put(store, "a", "x"), (thrown) => isCoded(thrown, "failed_precondition"));
  await assert.rejects(put(store, "a/b/c", "x"), (thrown) =>
    isCoded(thrown, "failed_precondition"),
  );
  assert.deepEqual(await keysOf(store, ""), ["a/b"]);
});

it("create() works again after somebody took the folders away", async (t) => {
  const root = await newRoot(t);
  const store = await openAt(root);
  await put(store, "packs/ab/one", "x");
  await fs.rm(join(root, "objects"), { recursive: true });
  await fs.rm(join(root, "tmp"), { recursive: true });
  await assert.rejects(put(store, "packs/ab/two", "x"), (thrown) => isCoded(thrown, "unavailable"));
  await put(store, "packs/ab/two", "x");
  assert.deepEqual(await keysOf(store, ""), ["packs/ab/two"]);
});

it("read() keeps a bounded number of files open and close() closes them", async (t) => {
  const open = new Map<string, number>();
  let most = 0;
  const counting = observedFileSystem(fs, async (operation, run) => {
    const result = await run();
    const change = operation.name === "open" ? 1 : operation.name === "close" ? -1 : 0;
    open.set(operation.path, (open.get(operation.path) ?? 0) + change);
    most = Math.max(most, total(open));
    return result;
  });
  const store = await openLocalObjectStore({
    root: await newRoot(t),
    fs: counting,
    random: systemRandom,
    filesMax: 4,
  });
  for (let i = 0; i < 20; i++) await put(store, `k/${i}`, String(i));
  most = 0;
  for (let i = 0; i < 60; i++) assert.equal(await textOf(store, `k/${i % 20}`), String(i % 20));
  assert.ok(most <= 6, `${most} files were open`);
  await store.close();
  await t.waitFor(() => assert.equal(total(open), 0));
  await assert.rejects(textOf(store, "k/1"), (thrown) => isCoded(thrown, "unavailable"));
});

it("seal() syncs the file before the rename, and every new name after it", async (t) => {
  const root = join(await newRoot(t), "made", "here");
  const disk = new DiskModel();
  const store = await openAt(root, observedFileSystem(fs, disk.observe));
  for (const key of ["one", "packs/ab/two", "packs/ab/three", "packs/cd/four"]) {
    await put(store, key, key);
    disk.assertDurable(join(root, "objects", key));
  }
  // Another process does not know who made the folders, so it syncs them again.
  const unsynced = new DiskModel();
  const second = await openAt(root, observedFileSystem(fs, unsynced.observe));
  await put(second, "packs/ab/five", "x");
  assert.ok(unsynced.synced.has(join(root, "objects")));
  unsynced.assertDurable(join(root, "objects/packs/ab/five"));
});

for (const kind of ["EIO", "ENOSPC", "short", "crash"] as const) {
  it(`a writer leaves a whole object or none when any operation ends with ${kind}`, async (t) => {
    for (let at = 0; ; at++) {
      const root = await newRoot(t);
      const faults = new Faults(at, kind);
      let acknowledged = false;
      try {
        const store = await openAt(root, observedFileSystem(fs, faults.observe));
        await putPieces(store, "packs/ab/new");
        acknowledged = true;
      } catch (thrown) {
        assert.ok(thrown instanceof CodedError, `operation ${at}: ${String(thrown)}`);
        assert.notEqual(thrown.code, "not_found");
        if (kind === "short") throw thrown;
      }
      await assertWholeOrAbsent(root, acknowledged);
      if (!faults.met) break;
      assert.ok(at < 100);
    }
  });
}

const pieces = Array.from({ length: 3 }, (_, i) => seededRandom(i).bytes(1_000));

async function putPieces(store: ObjectStore, key: string): Promise<void> {
  const writer = await store.create(key, {});
  try {
    for (const piece of pieces) await writer.write([piece.subarray(0, 300), piece.subarray(300)]);
    await writer.seal();
  } finally {
    await writer.abort();
  }
}

async function assertWholeOrAbsent(root: string, acknowledged: boolean): Promise<void> {
  const store = await openAt(root);
  assert.deepEqual(await fs.readdir(join(root, "tmp")), []);
  const keys = await keysOf(store, "");
  if (acknowledged) assert.deepEqual(keys, ["packs/ab/new"]);
  for (const key of keys) {
    const bytes = await store.read(key, { start: 0, length: 10_000 }, {});
    assert.ok(bytes.equals(Buffer.concat(pieces)), "the object is not whole");
  }
  await store.close();
}

/** Fails the operation number `at`; "crash" also all that follow. A failed write has written half. */
class Faults {
  met = false;
  private seen = 0;
  private readonly at: number;
  private readonly kind: "EIO" | "ENOSPC" | "short" | "crash";

  constructor(at: number, kind: "EIO" | "ENOSPC" | "short" | "crash") {
    this.at = at;
    this.kind = kind;
  }

  readonly observe = async (
    operation: FileOperation,
    run: (buffers?: readonly Uint8Array[]) => Promise<unknown>,
  ): Promise<unknown> => {
    const index = this.seen++;
    const hit = this.kind === "crash" ? index >= this.at : index === this.at;
    if (!hit) return await run();
    this.met = true;
    const half = operation.buffers.slice(0, 1).map((one) => one.subarray(0, one.length >> 1));
    if (this.kind === "short") return await (operation.name === "writev" ? run(half) : run());
    if (operation.name === "writev") await run(half);
    // A file must not leak in this process, whatever the model says.
    if (operation.name === "close") await run();
    const code = this.kind === "crash" ? "EIO" : this.kind;
    throw Object.assign(new Error(`${code}: injected`), { code });
  };
}

/** What would survive loss of power: file contents and names, each once synced. */
class DiskModel {
  readonly synced = new Set<string>();
  private readonly dirtyFiles = new Set<string>();
  private readonly dirtyNames = new Set<string>();

  readonly observe = async (
    operation: FileOperation,
    run: () => Promise<unknown>,
  ): Promise<unknown> => {
    const { name, path, to } = operation;
    if (name === "mkdir") await this.noteNewFolders(path);
    const result = await run();
    if (name === "writev") this.dirtyFiles.add(path);
    if (name === "rename") {
      assert.ok(!this.dirtyFiles.has(path), "renamed before it was synced");
      this.dirtyNames.add(to);
    }
    if (name === "sync") {
      this.dirtyFiles.delete(path);
      this.synced.add(path);
      for (const one of this.dirtyNames) if (dirname(one) === path) this.dirtyNames.delete(one);
    }
    return result;
  };

  assertDurable(path: string): void {
    for (let name = path; name !== dirname(name); name = dirname(name)) {
      assert.ok(!this.dirtyNames.has(name), `the name ${name} would be lost`);
    }
  }

  private async noteNewFolders(path: string): Promise<void> {
    for (let name = path; name !== dirname(name); name = dirname(name)) {
      const there = await fs.access(name).then(
        () => true,
        () => false,
      );
      if (!there) this.dirtyNames.add(name);
    }
  }
}

function failingOn(when: (operation: FileOperation) => boolean, code: string): FileSystem {
  return observedFileSystem(fs, async (operation, run) => {
    if (when(operation)) throw Object.assign(new Error(`${code}: injected`), { code });
    return await run();
  });
}

function total(counts: Map<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

async function openAt(root: string, fileSystem: FileSystem = fs): Promise<ObjectStore> {
  return await openLocalObjectStore({ root, fs: fileSystem, random: systemRandom });
}

async function newRoot(t: TestContext): Promise<string> {
  const root = await fs.mkdtemp(join(tmpdir(), "mammoth-objects-"));
  t.after(async () => {
    await fs.rm(root, { recursive: true, force: true });
  });
  return root;
}
