import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { hasS3Server, S3Server, s3Keys } from "../../../src/objectstore/testing/s3-server.ts";
import { PostgresServer, postgresPrograms } from "../../../src/metadata/testing/postgres-server.ts";
import { TestDaemon, testFolder } from "./daemon.ts";

/** Where daemons keep what they share. */
export type SharedStore = "s3" | "folder";

/** Why there can be no daemons that share; undefined where there can. */
export function whyNoSharing(store: SharedStore = "s3"): string | undefined {
  if (postgresPrograms() === undefined) return "PostgreSQL is not installed";
  return store === "folder" || hasS3Server() ? undefined : "no S3 server is installed";
}

/** Real daemons on one real database and one real bucket, or one folder. */
export class Cluster {
  readonly postgres: PostgresServer;
  /** Undefined when they share a folder. */
  readonly s3: S3Server | undefined;
  readonly daemons: readonly TestDaemon[];
  readonly database: string;

  private constructor(
    { postgres, s3, database }: Pick<Cluster, "postgres" | "s3" | "database">,
    daemons: readonly TestDaemon[],
  ) {
    this.postgres = postgres;
    this.s3 = s3;
    this.database = database;
    this.daemons = daemons;
  }

  static async open(
    t: TestContext,
    count: number,
    { store = "s3" as SharedStore, args = [] as string[] } = {},
  ): Promise<Cluster> {
    const folder = testFolder(t);
    const postgres = await PostgresServer.open();
    t.after(async () => await postgres.close());
    const s3 = store === "s3" ? await openBucket(t) : undefined;
    const objects =
      s3 === undefined
        ? pathToFileURL(join(folder, "shared")).href
        : `s3://mammoth/store?endpoint=${encodeURIComponent(s3.endpoint)}`;
    const database = await postgres.newDatabase();
    const shared = ["--database", database, "--object-store", objects, "--log-level", "warn"];
    const daemons = Array.from(
      { length: count },
      (_, i) => new TestDaemon(join(folder, `daemon-${i}`), [...shared, ...args]),
    );
    const world = new Cluster({ postgres, s3, database }, daemons);
    t.after(async () => {
      await Promise.all(daemons.map(async (daemon) => await daemon.stop("SIGKILL")));
    });
    // At once: one of them makes the schema, the others wait for it.
    await Promise.all(daemons.map(async (daemon) => await daemon.start()));
    return world;
  }

  /** Runs a statement on the database that they share. */
  async query(sql: string): Promise<unknown[]> {
    return await this.postgres.query(sql, new URL(this.database).pathname.slice(1));
  }

  /** Ends every lease at once, as if all the time it takes had passed. Who is alive goes on or learns it. */
  async endLeases(): Promise<void> {
    await this.query(`UPDATE sessions SET until_micros = 0`);
    await this.query(`UPDATE leases SET until_micros = 0`);
    await this.query(`UPDATE outbox SET due_micros = 0 WHERE owner <> ''`);
    await this.query(`UPDATE commits SET lease_micros = 0 WHERE state = 'closing'`);
    await this.query(`UPDATE jobs SET lease_micros = 0 WHERE state IN ('creating', 'running')`);
    await this.query(`UPDATE tasks SET due_micros = 0 WHERE state = 'assigned'`);
  }
}

async function openBucket(t: TestContext): Promise<S3Server> {
  Object.assign(process.env, s3Keys);
  const s3 = await S3Server.open();
  t.after(async () => await s3.close());
  await s3.newBucket("mammoth");
  return s3;
}

/** Statuses of requests that may be sent again, with their key. */
const transient = new Set([409, 499, 503, 504]);
const triesMax = 200;

/**
 * Sends a request to one daemon after the other until one answers for good.
 *
 * @throws Error for a refusal that will not pass
 */
export async function sendToAny(
  daemons: () => readonly TestDaemon[],
  path: string,
  init: { method: string; key: string; body?: Buffer | string; type?: string },
): Promise<string> {
  for (let tries = 0; ; tries++) {
    const all = daemons();
    const daemon = all[tries % all.length]!;
    try {
      const answer = await fetch(`http://${daemon.address}/api/v1${path}`, {
        method: init.method,
        headers: {
          "idempotency-key": init.key,
          "content-type": init.type ?? "application/octet-stream",
        },
        body: init.body ?? null,
        signal: AbortSignal.timeout(60_000),
      });
      const text = await answer.text();
      if (answer.ok) return text;
      const isTransient = transient.has(answer.status) && !text.includes("already_exists");
      if (!isTransient || tries >= triesMax)
        throw new Refused(`${init.method} ${path}: ${answer.status} ${text}`);
    } catch (error) {
      if (error instanceof Refused || tries >= triesMax) throw error;
    }
    await sleep(100);
  }
}

/** An answer that is no success, and will not become one. */
export class Refused extends Error {}
