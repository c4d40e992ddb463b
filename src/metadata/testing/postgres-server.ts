import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { chmod, chown, mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";

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
  private process: ChildProcess | undefined;
  private databases = 0;

  private constructor(
    place: { programs: string; data: string; port: number },
    user: { uid: number; gid: number } | undefined,
  ) {
    this.programs = place.programs;
    this.data = place.data;
    this.port = place.port;
    this.user = user;
  }

  /** Makes a server and starts it. */
  static async open(): Promise<PostgresServer> {
    const programs = postgresPrograms();
    if (programs === undefined) throw new Error("PostgreSQL is not installed");
    const data = await mkdtemp(join(tmpdir(), "mammoth-postgres-"));
    // It refuses to run as root.
    const user = process.getuid?.() === 0 ? await ids("postgres") : undefined;
    if (user !== undefined) await chown(data, user.uid, user.gid);
    await chmod(data, 0o700);
    const init = ["--auth=trust", "--username=mammoth", "--encoding=UTF8", "--locale=C.UTF-8"];
    await exec(join(programs, "initdb"), ["-D", data, ...init], { ...user, cwd: data });
    const server = new PostgresServer({ programs, data, port: await freePort() }, user);
    await server.start();
    return server;
  }

  /** Where an empty database is: another one with each call. */
  async newDatabase(): Promise<string> {
    const name = `test${++this.databases}`;
    await this.query(`CREATE DATABASE ${name}`);
    return this.url(name);
  }

  async start(): Promise<void> {
    const settings = ["-c", `port=${this.port}`, "-c", "listen_addresses=127.0.0.1"];
    const more = ["-c", "unix_socket_directories=", "-c", "max_connections=200"];
    this.process = spawn(join(this.programs, "postgres"), ["-D", this.data, ...settings, ...more], {
      ...this.user,
      cwd: this.data,
      stdio: "ignore",
    });
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.query("SELECT 1");
      } catch (error) {
        if (attempt === 300) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** The whole server dies at once, as by a loss of power, but for what the system has yet to write. */
  async kill(): Promise<void> {
    await this.end("SIGKILL");
    // Its children end when they see it gone, and the next start waits for that.
  }

  async close(): Promise<void> {
    await this.end("SIGINT");
    await rm(this.data, { recursive: true, force: true, maxRetries: 5 });
  }

  private async end(signal: "SIGKILL" | "SIGINT"): Promise<void> {
    const { process: server } = this;
    this.process = undefined;
    if (server === undefined || server.exitCode !== null) return;
    const ended = once(server, "exit");
    server.kill(signal);
    await ended;
  }

  private url(database: string): string {
    return `postgres://mammoth@127.0.0.1:${this.port}/${database}`;
  }

  private async query(sql: string): Promise<void> {
    const client = new Client({ connectionString: this.url("postgres") });
    client.on("error", () => undefined);
    try {
      await client.connect();
      await client.query(sql);
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
