import assert from "node:assert/strict";
import * as nodeFs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { DurableFolders } from "./durable-folders.ts";
import { hasErrno } from "./errno.ts";
import type { FileSystem } from "./file-system.ts";

describe("DurableFolders", () => {
  it("ensure() makes the root and syncs the parent of each new folder, once", async (t) => {
    const { fs, above, opened } = await newPlace(t);
    const root = join(above, "a", "b");
    const folders = new DurableFolders(fs, root);
    await Promise.all([folders.ensure(join(root, "c", "d")), folders.ensure(join(root, "c"))]);
    assert.ok((await nodeFs.stat(join(root, "c", "d"))).isDirectory());
    assert.deepEqual(opened.toSorted(), [above, join(above, "a"), root, join(root, "c")]);
    await folders.ensure(join(root, "c", "d"));
    assert.equal(opened.length, 4);
    folders.forget();
    await folders.ensure(join(root, "c", "d"));
    assert.deepEqual(opened.slice(4), [root, join(root, "c")]);
  });

  it("ensure() tries again after a failure", async (t) => {
    const { fs, above } = await newPlace(t);
    const folders = new DurableFolders(fs, join(above, "file", "root"));
    await nodeFs.writeFile(join(above, "file"), "");
    await assert.rejects(folders.ensure(join(above, "file", "root")), (thrown) =>
      hasErrno(thrown, "ENOTDIR"),
    );
    await nodeFs.rm(join(above, "file"));
    await folders.ensure(join(above, "file", "root"));
    assert.ok((await nodeFs.stat(join(above, "file", "root"))).isDirectory());
  });

  it("sync() lives with a file system that cannot sync a folder, not with a broken one", async (t) => {
    const { above } = await newPlace(t);
    const failing = (code: string): DurableFolders =>
      new DurableFolders(
        {
          ...nodeFs,
          open: async (path) => {
            const handle = await nodeFs.open(path);
            handle.sync = async () => {
              throw Object.assign(new Error(code), { code });
            };
            return handle;
          },
        },
        above,
      );
    await failing("EINVAL").sync(above);
    await assert.rejects(failing("EIO").sync(above), { code: "EIO" });
  });
});

async function newPlace(
  t: TestContext,
): Promise<{ fs: FileSystem; above: string; opened: string[] }> {
  const above = await nodeFs.mkdtemp(join(tmpdir(), "mammoth-folders-"));
  t.after(async () => {
    await nodeFs.rm(above, { recursive: true, force: true });
  });
  const opened: string[] = [];
  const fs: FileSystem = {
    ...nodeFs,
    open: async (path, ...rest) => {
      opened.push(String(path));
      return await nodeFs.open(path, ...rest);
    },
  };
  return { fs, above, opened };
}
