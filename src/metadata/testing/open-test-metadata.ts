import type { Clock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { randomHex, systemRandom } from "../../base/random.ts";
import type {
  InputOf,
  MetadataStore,
  OutputOf,
  Procedure,
  ProcedureName,
  Row,
  SqlValue,
  Tx,
} from "../metadata-store.ts";
import { migrations } from "../migrations/index.ts";
import { openSharedMetadata } from "../open-postgres.ts";
import { procedures, relaxed } from "../procedures/index.ts";
import { openInlineSqliteMetadata } from "../sqlite/open-inline.ts";

/** A template with the schema in it, on the server that MAMMOTH_TEST_POSTGRES names. */
const template = "mammoth_template";

/** An empty store of one test, by the test's clock: in memory, or on PostgreSQL where one is named. */
export function openTestMetadata(clock: Clock): MetadataStore {
  const server = process.env["MAMMOTH_TEST_POSTGRES"];
  if (server === undefined) return openInlineSqliteMetadata({ clock });
  return new LaterStore(openAt(server, clock));
}

/** Makes the template of all stores on a server. */
export async function makeTemplate(server: string): Promise<void> {
  const url = await newDatabase(server, template, "template1");
  await (await openSharedMetadata({ url, log: silentLog })).close();
}

async function openAt(server: string, clock: Clock): Promise<MetadataStore> {
  const url = await newDatabase(server, `t${randomHex(systemRandom)}`, template);
  const clocked = Object.entries(procedures).map(([name, procedure]) => [
    name,
    async (tx: Tx, input: unknown) =>
      await (procedure as Procedure<unknown, unknown>)(new ClockedTx(tx, clock), input),
  ]);
  const module = { procedures: Object.fromEntries(clocked) as object, migrations, relaxed };
  return await openSharedMetadata({ url, log: silentLog, module });
}

async function newDatabase(server: string, name: string, from: string): Promise<string> {
  // Not for those who test in memory.
  const { Client } = await import("pg");
  const client = new Client({ connectionString: server });
  await client.connect();
  await client.query(`CREATE DATABASE ${name} TEMPLATE ${from}`);
  await client.end();
  return Object.assign(new URL(server), { pathname: `/${name}` }).href;
}

/** The same transaction by another clock, which a test can put forward. */
class ClockedTx implements Tx {
  readonly nowMicros: number;
  private readonly tx: Tx;

  constructor(tx: Tx, clock: Clock) {
    this.tx = tx;
    this.nowMicros = clock.nowMicros();
  }

  async all<R extends Row>(sql: string, ...parameters: SqlValue[]): Promise<R[]> {
    return await this.tx.all<R>(sql, ...parameters);
  }

  async get<R extends Row>(sql: string, ...parameters: SqlValue[]): Promise<R | undefined> {
    return await this.tx.get<R>(sql, ...parameters);
  }

  async run(sql: string, ...parameters: SqlValue[]): Promise<number> {
    return await this.tx.run(sql, ...parameters);
  }
}

/** A store that is being opened: calls wait for it. */
class LaterStore implements MetadataStore {
  private readonly opening: Promise<MetadataStore>;

  constructor(opening: Promise<MetadataStore>) {
    this.opening = opening;
    opening.catch(() => undefined);
  }

  async call<N extends ProcedureName>(name: N, input: InputOf<N>): Promise<OutputOf<N>> {
    return await (await this.opening).call(name, input);
  }

  async close(): Promise<void> {
    await (await this.opening).close();
  }
}
