import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openClient, packTar, type Client } from "../src/client/index.ts";
import { TestDaemon } from "../test/e2e/testing/daemon.ts";
import type { Bed, Row } from "./bench.ts";
import { msOf } from "./measure.ts";
import { cpuMs, peakMemory, untilQuiet } from "./programs.ts";
import { lineFiles } from "./small-files.ts";

const filesPerCommit = 1_000;

/** Garbage collection of a store, and of one with twice as many commits, files and chunks. */
export async function* garbage(bed: Bed): AsyncGenerator<Row, void, void> {
  const commits = bed.full ? 500 : 100;
  const small = await collect(join(bed.folder, "small"), commits);
  const large = await collect(join(bed.folder, "large"), 2 * commits);
  const files = 2 * commits * filesPerCommit;
  yield {
    what: `garbage collection, ${2 * commits} commits, ${files} files, half of them deleted`,
    unit: "s",
    values: [large.ms / 1_000],
    peer: { what: "of half as many", values: [small.ms / 1_000] },
  };
  yield {
    what: "the same: processor time of pachd",
    unit: "s",
    values: [large.cpuMs / 1_000],
    peer: { what: "of half as many", values: [small.cpuMs / 1_000] },
  };
  yield {
    what: "the same: peak memory of pachd during it",
    unit: "MB",
    values: [large.peakMegabytes],
    peer: { what: "of half as many", values: [small.peakMegabytes] },
  };
}

/** Fills a store, deletes one of its two repos, and collects what that leaves. */
async function collect(
  root: string,
  commits: number,
): Promise<{ ms: number; cpuMs: number; peakMegabytes: number }> {
  mkdirSync(root);
  const daemon = new TestDaemon(root, ["--log-level", "warn"]);
  await daemon.start();
  try {
    await withClient(daemon, (client) => fill(client, commits));
    await untilQuiet(daemon.pid);
    // A new process: its memory is that of the collection.
    await daemon.stop("SIGTERM");
    await daemon.start();
    return await withClient(daemon, async (client) => {
      await client.repos.delete("dropped");
      const before = cpuMs(daemon.pid);
      const ms = await msOf(async () => {
        const { keptBackBytes } = await client.store.collectGarbage();
        if (keptBackBytes > 0) throw new Error("a writer kept garbage collection from its end");
      });
      const cpu = cpuMs(daemon.pid) - before;
      return { ms, cpuMs: cpu, peakMegabytes: peakMemory(daemon.pid) };
    });
  } finally {
    await daemon.stop("SIGKILL");
  }
}

async function fill(client: Client, commits: number): Promise<void> {
  for (const repo of ["kept", "dropped"]) await client.repos.create(repo);
  for (let commit = 0; commit < commits; commit++) {
    const repo = commit % 2 === 0 ? "kept" : "dropped";
    const files = (): AsyncGenerator<Uint8Array> =>
      packTar(lineFiles(filesPerCommit, commit * filesPerCommit));
    await client.files.putTarCommit({ repo, branch: "master" }, "", files);
  }
}

async function withClient<T>(daemon: TestDaemon, work: (client: Client) => Promise<T>): Promise<T> {
  const client = openClient({ address: daemon.address });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}
