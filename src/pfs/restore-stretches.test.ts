// Goal: what a long restore has stored so far is there at its end, whatever garbage collection does meanwhile, and is
// garbage when it breaks off. Method: a stream restored in stretches of any length, garbage collected between them.
import { strict as assert } from "node:assert";
import { test, type TestContext } from "node:test";
import { localPrincipal } from "../model/principal.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { extracted } from "./testing/extracted.ts";
import { listed, never, openTestPfs, type TestPfs } from "./testing/open-test-pfs.ts";
import { verifyStore } from "./verify-store.ts";
import { restore } from "./restore.ts";
import { openInlineCompute } from "../storage/compute.ts";
import { RestoreIngest } from "../storage/extract/restore-ingest.ts";

async function streamOf(t: TestContext): Promise<{ stream: Buffer; text: string }> {
  const from = openTestPfs(t);
  await from.repo("data");
  let text = "";
  for (let number = 0; number < 6; number++) {
    const lines = Array.from({ length: 60_000 }, (_, i) => `${number} ${i * 7_919}\n`).join("");
    await from.commit("data", { f: lines, [`small${number}`]: `${number}` });
    text += lines;
  }
  return { stream: await extracted(from), text };
}

/** A pfs that restores in stretches of so many bytes. */
function openInto(t: TestContext, stretchBytesMax: number, arrivedMax = 1_000_000): TestPfs {
  const pfs = openTestPfs(t, { seed: 2 });
  const { storage, metadata } = pfs.deps;
  const openRestore = (): RestoreIngest =>
    new RestoreIngest({
      compute: openInlineCompute(),
      metadata,
      openIngest: () => storage.openIngest(),
      nodes: storage.nodes,
      indexPending: () => storage.indexPending(never),
      arrivedMax,
      stretchBytesMax,
    });
  const bulk = { ...storage.bulk, openRestore };
  return Object.assign(pfs, { deps: { ...pfs.deps, storage: { ...storage, bulk } } });
}

async function* slowly(stream: Buffer, between: () => Promise<unknown>): AsyncGenerator<Buffer> {
  const step = Math.ceil(stream.length / 8);
  for (let at = 0; at < stream.length; at += step) {
    yield stream.subarray(at, at + step);
    await between();
  }
}

async function findings(pfs: TestPfs): Promise<string[]> {
  const options = { readData: true, repair: false, signal: never };
  const found: string[] = [];
  for await (const { problem } of verifyStore(pfs.deps, localPrincipal, options))
    found.push(problem);
  return found;
}

for (const stretchBytesMax of [1, 1_000_000])
  test(`stretches of ${stretchBytesMax} bytes outlive garbage collection`, async (t) => {
    const { stream, text } = await streamOf(t);
    const into = openInto(t, stretchBytesMax);
    const { deps } = into;
    const collect = (): Promise<unknown> =>
      collectGarbage(deps, localPrincipal, { isDryRun: false, signal: never });
    // It waits for the restore: to its end, and not for ever.
    const collecting: Promise<unknown>[] = [];
    const between = async (): Promise<void> => {
      await deps.storage.drainInline(never, { force: true });
      await deps.storage.indexPending(never);
      if (collecting.length === 0) collecting.push(collect());
      await new Promise((resolve) => setImmediate(resolve));
    };
    const input = { stream: slowly(stream, between), signal: never };
    await restore(deps, localPrincipal, input);
    await Promise.all(collecting);
    await collect();
    await collect();
    assert.equal(await into.get({ repo: "data", id: "master" }, "f"), text);
    assert.deepEqual(await findings(into), []);
  });

test("what a restore that broke off has stored is found by the next, or collected", async (t) => {
  const { stream } = await streamOf(t);
  const into = openInto(t, 500_000);
  const { deps } = into;
  const cut = stream.subarray(0, stream.length - 40);
  const run = (bytes: Buffer): Promise<unknown> =>
    restore(deps, localPrincipal, { stream: listed([bytes]), signal: never });
  await assert.rejects(run(cut), /ends early/);
  const packs = async (): Promise<number> =>
    (await deps.metadata.call("listPacks", { after: 0, limit: 1_000 })).filter(
      ({ state }) => state === "live",
    ).length;
  const left = await packs();
  assert.ok(left > 0, "stretches were recorded");
  await deps.storage.indexPending(never);
  await run(stream);
  assert.ok((await packs()) - left <= 4, "what was there was not stored again");
  assert.deepEqual(await findings(into), []);
});
