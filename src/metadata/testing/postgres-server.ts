import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { chmod, chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { freePort } from "../../base/free-port.ts";

const exec = promisify(execFile);
const debianFolder = "/usr/lib/postgresql";

/** The folder of PostgreSQL's own programs; undefined where it is not installed. */
export function postgresPrograms(): string | undefined {
  const versions = existsSync(debianFolder) ? readdirSync(debianFolder) : [];
  return versions
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => join(debianFolder, version, "bin"))
    .find((folder) => existsSync(join(folder, "initdb")));
}

/** A real PostgreSQL server with data of its own, on a port of its own. */
export class PostgresServer {
  private readonly programs: string;
  private readonly data: string;
  private readonly port: number;
  private readonly user: { uid: number; gid: number } | undefined;
  private readonly settings: readonly string[];
  private process: ChildProcess | undefined;
  private databases = 0;

  private constructor(
    place: { programs: string; data: string; port: number; settings: readonly string[] },
    user: { uid: number; gid: number } | undefined,
  ) {
    this.settings = place.settings;
    this.programs = place.programs;
    this.data = place.data;
    this.port = place.port;
    this.user = user;
  }

  /** Makes a server and starts it. One that is not durable is faster, and loses everything when it dies. */
  static async open({ isDurable = true, connectionsMax = 200 } = {}): Promise<PostgresServer> {
    const programs = postgresPrograms();
    if (programs === undefined) throw new Error("PostgreSQL is not installed");
    const data = await mkdtemp(join(tmpdir(), "mammoth-postgres-"));
    // It refuses to run as root.
    const user = process.getuid?.() === 0 ? await ids("postgres") : undefined;
    if (user !== undefined) await chown(data, user.uid, user.gid);
    await chmod(data, 0o700);
    const init = ["--auth=trust", "--username=mammoth", "--encoding=UTF8", "--locale=C.UTF-8"];
    await exec(join(programs, "initdb"), ["-D", data, ...init], { ...user, cwd: data });
    // One sync of the disk when it starts after a kill, not one for each file of each test's database.
    const settings = [`max_connections=${connectionsMax}`, "recovery_init_sync_method=syncfs"];
    if (!isDurable) settings.push("fsync=off", "synchronous_commit=off", "full_page_writes=off");
    const place = { programs, data, port: await freePort(), settings };
    const server = new PostgresServer(place, user);
    await server.start();
    return server;
  }

  /** Where an empty database is: another one with each call. */
  async newDatabase(): Promise<string> {
    const name = `test${++this.databases}`;
    await this.query(`CREATE DATABASE ${name}`);
    return this.url(name);
  }

  /** Starts it and waits until it answers. */
  async start(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      // The processes of one that was killed may keep it from starting for a while.
      if (this.process === undefined || this.process.exitCode !== null) this.spawn();
      try {
        await this.query("SELECT 1");
        return;
      } catch (error) {
        if (attempt === 600) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** The whole server dies at once, as by a loss of power, but for what the system has yet to write. */
  async kill(): Promise<void> {
    await this.end("SIGKILL");
    // Its children end when they see it gone.
  }

  async close(): Promise<void> {
    await this.end("SIGINT");
    await rm(this.data, { recursive: true, force: true, maxRetries: 5 });
  }

  private spawn(): void {
    const settings = [
      ...this.settings,
      `port=${this.port}`,
      "listen_addresses=127.0.0.1",
      "unix_socket_directories=",
    ];
    const args = settings.flatMap((setting) => ["-c", setting]);
    this.process = spawn(join(this.programs, "postgres"), ["-D", this.data, ...args], {
      ...this.user,
      cwd: this.data,
      stdio: "ignore",
    });
  }

  private async end(signal: "SIGKILL" | "SIGINT"): Promise<void> {
    const { process: server } = this;
    this.process = undefined;
    if (server === undefined || server.exitCode !== null) return;
    const ended = once(server, "exit");
    server.kill(signal);
    await ended;
  }

  /** Where a database is. */
  url(database: string): string {
    return `postgres://mammoth@127.0.0.1:${this.port}/${database}`;
  }

  /** Runs a statement; gives back its rows. */
  async query(sql: string, database = "postgres"): Promise<unknown[]> {
    const client = new Client({ connectionString: this.url(database) });
    client.on("error", () => undefined);
    try {
      await client.connect();
      return (await client.query(sql)).rows as unknown[];
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

async function ids(user: string): Promise<{ uid: number; gid: number }> {
  const id = async (what: string): Promise<number> =>
    Number((await exec("id", [what, user])).stdout.trim());
  return { uid: await id("-u"), gid: await id("-g") };
}
