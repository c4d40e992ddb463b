import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { freePort } from "../../base/free-port.ts";

const program = "/usr/sbin/gearmand";

/** Why tests with a real gearmand do not run here; false where they do. */
export const skipWithoutGearman: string | false = existsSync(program)
  ? false
  : "gearmand is not installed (Debian: gearman-job-server)";

/** A real gearmand on a port of its own; it keeps nothing when it is killed. */
export class GearmanServer {
  readonly port: number;
  private process: ChildProcess | undefined;

  private constructor(port: number) {
    this.port = port;
  }

  static async open(): Promise<GearmanServer> {
    const server = new GearmanServer(await freePort());
    await server.start();
    return server;
  }

  /** Starts it and waits until it answers. */
  async start(): Promise<void> {
    const place = ["--listen=127.0.0.1", `--port=${this.port}`, "--log-file=stderr"];
    // As root it wants to know whom to run as.
    const user = process.getuid?.() === 0 ? ["--user=root"] : [];
    this.process = spawn(program, [...place, ...user], { stdio: "ignore" });
    for (let attempt = 0; !(await answers(this.port)); attempt++) {
      if (attempt === 200) throw new Error("gearmand does not start");
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  async kill(): Promise<void> {
    const { process: killed } = this;
    if (killed === undefined) return;
    this.process = undefined;
    killed.kill("SIGKILL");
    await once(killed, "exit");
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
