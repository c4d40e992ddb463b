import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../base/free-port.ts";

/** Where the test services put what they build. */
export const s3ServerProgram = join(homedir(), ".cache", "mammoth", "bin", "versitygw");

/** True when a real S3 server can be started. */
export function hasS3Server(): boolean {
  return existsSync(s3ServerProgram);
}

export const s3Keys = { AWS_ACCESS_KEY_ID: "mammoth", AWS_SECRET_ACCESS_KEY: "mammoth-secret" };

/** A real S3 server (versitygw) on a folder of its own and a port of its own. */
export class S3Server {
  readonly folder: string;
  readonly endpoint: string;
  private readonly port: number;
  private process: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  static async open(): Promise<S3Server> {
    const folder = await mkdtemp(join(tmpdir(), "mammoth-s3-"));
    const server = new S3Server(folder, await freePort());
    await server.start();
    return server;
  }

  /** An empty bucket: with this server, a folder. */
  async newBucket(name: string): Promise<void> {
    await mkdir(join(this.folder, "buckets", name));
  }

  async start(): Promise<void> {
    const { AWS_ACCESS_KEY_ID: access, AWS_SECRET_ACCESS_KEY: secret } = s3Keys;
    const address = ["--access", access, "--secret", secret, "--port", `127.0.0.1:${this.port}`];
    const sidecar = join(this.folder, "sidecar");
    const buckets = join(this.folder, "buckets");
    for (const folder of [sidecar, buckets]) await mkdir(folder, { recursive: true });
    this.process = spawn(
      s3ServerProgram,
      [...address, "--quiet", "posix", "--sidecar", sidecar, buckets],
      { stdio: "ignore" },
    );
    for (let attempt = 0; ; attempt++) {
      try {
        await fetch(this.endpoint);
        return;
      } catch (error) {
        if (attempt === 200) throw error;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
  }

  async kill(): Promise<void> {
    const { process: server } = this;
    this.process = undefined;
    if (server === undefined || server.exitCode !== null) return;
    const ended = once(server, "exit");
    server.kill("SIGKILL");
    await ended;
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
