import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import { removeTree } from "../base/remove-tree.ts";
import { openFileCache } from "../filecache/index.ts";
import { MemWorkerHost } from "./testing/mem-worker-host.ts";
import { ViewStore } from "./view-store.ts";

const never = new AbortController().signal;

test("ViewStore keeps a view made anew while the one before it is being removed", async (t) => {
  const home = await fs.mkdtemp(`${tmpdir()}/mammoth-views-`);
  t.after(() => removeTree(fs, home));
  const directory = `${home}/views`;
  await fs.mkdir(directory);
  const host = new MemWorkerHost(systemClock());
  const gate = Promise.withResolvers<undefined>();
  let removals = 0;
  const rm: typeof fs.rm = async (path, options) => {
    if (++removals === 1) await gate.promise;
    await fs.rm(path, options);
  };
  let leave: AbortController | undefined;
  const rename: typeof fs.rename = async (from, to) => {
    leave?.abort();
    await fs.rename(from, to);
  };
  const filecache = await openFileCache({
    fs,
    dir: `${home}/cache`,
    bytesMax: 1_000,
    bootId: undefined,
  });
  const store = new ViewStore({
    host,
    filecache,
    fs: { ...fs, rename, rm },
    directory,
    hardLinks: true,
    log: silentLog,
  });
  const views = Array.from({ length: 8 }, (_, i) => host.addView({ [`directory ${i}`]: null }));
  const use = async (index: number): Promise<string> => {
    const held = await store.hold(views[index]!, never);
    held.release();
    return held.path;
  };
  // Made for somebody who left at the last moment: idle, and nobody looked what to remove.
  for (const view of views.slice(0, 6)) {
    leave = new AbortController();
    await assert.rejects(store.hold(view, leave.signal));
  }
  leave = undefined;
  const whole = async (): Promise<number> =>
    (await fs.readdir(directory)).filter((name) => !name.endsWith(".building")).length;
  while ((await whole()) < 6) await new Promise(setImmediate);
  await use(6);
  await use(7);
  const path = await use(1);
  gate.resolve(undefined);
  while ((await whole()) > 4) await new Promise(setImmediate);
  assert.equal(await use(1), path);
});
