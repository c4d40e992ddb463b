import { setTimeout as sleep } from "node:timers/promises";
import type { TestContext } from "node:test";
import { hasS3Server, S3Server, s3Keys } from "../../../src/objectstore/testing/s3-server.ts";
import { PostgresServer, postgresPrograms } from "../../../src/metadata/testing/postgres-server.ts";
import { join } from "node:path";
import { TestDaemon, testFolder } from "./daemon.ts";

/** Why there can be no daemons that share; undefined where there can. */
export function whyNoSharing(): string | undefined {
  if (postgresPrograms() === undefined) return "PostgreSQL is not installed";
  return hasS3Server() ? undefined : "no S3 server is installed";
}

/** Real daemons on one real database and one real bucket. */
export class Cluster {
  readonly postgres: PostgresServer;
  readonly s3: S3Server;
  readonly daemons: readonly TestDaemon[];

  private constructor(postgres: PostgresServer, s3: S3Server, daemons: readonly TestDaemon[]) {
    this.postgres = postgres;
    this.s3 = s3;
    this.daemons = daemons;
  }

  static async open(t: TestContext, count: number): Promise<Cluster> {
    Object.assign(process.env, s3Keys);
    const folder = testFolder(t);
    const postgres = await PostgresServer.open();
    t.after(async () => await postgres.close());
    const s3 = await S3Server.open();
    t.after(async () => await s3.close());
    await s3.newBucket("mammoth");
    const store = `s3://mammoth/store?endpoint=${encodeURIComponent(s3.endpoint)}`;
    const database = await postgres.newDatabase();
    const args = ["--database", database, "--object-store", store, "--log-level", "warn"];
    const daemons = Array.from(
      { length: count },
      (_, i) => new TestDaemon(join(folder, `daemon-${i}`), args),
    );
    const world = new Cluster(postgres, s3, daemons);
    t.after(async () => {
      await Promise.all(daemons.map(async (daemon) => await daemon.stop("SIGKILL")));
    });
    // At once: one of them makes the schema, the others wait for it.
    await Promise.all(daemons.map(async (daemon) => await daemon.start()));
    return world;
  }
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
