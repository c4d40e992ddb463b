import * as fs from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../src/base/clock.ts";
import { Hints } from "../src/base/hints.ts";
import { silentLog } from "../src/base/log.ts";
import { randomHex, systemRandom } from "../src/base/random.ts";
import { openSqliteMetadata } from "../src/metadata/index.ts";
import { openLocalObjectStore } from "../src/objectstore/index.ts";
import { OpenRoots, type PfsDeps } from "../src/pfs/index.ts";
import { openPoolCompute, openStorage } from "../src/storage/index.ts";

/** Never fires. */
export const never: AbortSignal = new AbortController().signal;

/** What a daemon has below its routes, on a root that no daemon uses: real database, real files. */
export async function withPfs<T>(root: string, work: (pfs: PfsDeps) => Promise<T>): Promise<T> {
  const clock = systemClock();
  const random = systemRandom;
  const log = silentLog;
  const metadata = await openSqliteMetadata({
    path: join(root, "metadata", "mammoth.db"),
    log,
    clock,
  });
  const objects = await openLocalObjectStore({ root: join(root, "store"), fs, random });
  const compute = openPoolCompute();
  const session = randomHex(random);
  const storage = openStorage({ objects, metadata, compute, clock, random, session, log });
  const openRoots = new OpenRoots({ metadata, storage });
  try {
    await storage.renewSession({ address: "bench", release: "bench" });
    return await work({ metadata, storage, clock, random, hints: new Hints(), log, openRoots });
  } finally {
    await storage.close();
    await compute.close();
    await objects.close();
    await metadata.close();
  }
}
