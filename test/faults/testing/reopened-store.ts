import { strict as assert } from "node:assert";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { seededRandom } from "../../../src/base/random.ts";
import { openInlineSqliteMetadata } from "../../../src/metadata/index.ts";
import { localPrincipal } from "../../../src/model/principal.ts";
import { openLocalObjectStore } from "../../../src/objectstore/index.ts";
import { listCommits, listRepos, resumeFinishes, verifyStore } from "../../../src/pfs/index.ts";
import { never, TestPfs } from "../../../src/pfs/testing/open-test-pfs.ts";
import type { Commits, Repos } from "./scripted-requests.ts";

/**
 * Opens the root of a daemon that is no more, as the next one would, and reads every byte of every
 * commit. Throws when anything cannot be read, when fsck has something to say, or when nothing more can
 * be written.
 */
export async function readRoot(root: string): Promise<Repos> {
  const metadata = openInlineSqliteMetadata({ path: join(root, "metadata", "mammoth.db") });
  const random = seededRandom(1);
  const objects = await openLocalObjectStore({ root: join(root, "store"), fs, random });
  const pfs = new TestPfs(1, { metadata, objects, session: "reopened" });
  try {
    await metadata.call("endLeases", {});
    await pfs.deps.storage.renewSession({ address: "reopened", release: "test" });
    await resumeFinishes(pfs.deps, never);
    const findings = verifyStore(pfs.deps, localPrincipal, {
      readData: true,
      repair: false,
      signal: never,
    });
    for await (const finding of findings) assert.fail(`fsck: ${JSON.stringify(finding)}`);
    const repos: Record<string, Commits> = {};
    for (const { name } of await listRepos(pfs.deps, localPrincipal, []))
      repos[name] = await readRepo(pfs, name);
    await pfs.repo("afterwards");
    await pfs.commit("afterwards", { file: "content" });
    return repos;
  } finally {
    await pfs.close();
    await objects.close();
  }
}

async function readRepo(pfs: TestPfs, repo: string): Promise<Commits> {
  const commits = await listCommits(pfs.deps, localPrincipal, {
    include: [{ repo }],
    exclude: [],
    provenance: [],
    type: "NONE",
    status: "ALL",
    block: false,
    signal: never,
  });
  const found = [];
  for (const { id, state } of commits) {
    if (state !== "finished") await pfs.finish({ repo, id });
    const files = (await pfs.files({ repo, id })) as Record<string, string>;
    found.push({ isFinished: state === "finished", files });
  }
  return found;
}
