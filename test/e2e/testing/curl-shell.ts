import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { openTestDaemon, run, testFolder, type Ran, type TestDaemon } from "./daemon.ts";

/** A daemon called pfs, and a folder to type commands in. */
export class Shell {
  readonly daemon: TestDaemon;
  readonly folder: string;

  constructor(daemon: TestDaemon, folder: string) {
    this.daemon = daemon;
    this.folder = folder;
    const config = `silent\nshow-error\nmax-time = 60\nconnect-to = "pfs:80:${daemon.address}"\n`;
    writeFileSync(join(folder, ".curlrc"), config);
  }

  /** Types a line as it is. */
  async type(line: string, stdin?: Buffer): Promise<Ran> {
    return await run("bash", ["-c", line], {
      cwd: this.folder,
      env: { CURL_HOME: this.folder, HOME: this.folder },
      ...(stdin === undefined ? {} : { stdin }),
    });
  }

  /** What a line prints, times left out. */
  async prints(line: string, stdin?: Buffer): Promise<string> {
    const { stdout, stderr } = await this.type(line, stdin);
    return (stdout + stderr).replace(/"tstamp":"[^"]+"/g, '"tstamp":"TIME"');
  }

  /** The status of the answer to a line that begins with curl. */
  async status(line: string): Promise<string> {
    return (await this.type(line.replace(/^curl/, "curl -o /dev/null -w '%{http_code}'"))).stdout;
  }

  write(name: string, content: string | Buffer): void {
    writeFileSync(join(this.folder, name), content);
  }
}

/** Opens a daemon for one test, and a shell to it. */
export async function openShell(t: TestContext, args: readonly string[] = []): Promise<Shell> {
  const daemon = await openTestDaemon(t, ["--allow-host", "pfs", ...args]);
  return new Shell(daemon, testFolder(t));
}
