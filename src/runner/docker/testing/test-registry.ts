import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../../base/free-port.ts";

/** A real registry, on a folder of its own. */
export interface TestRegistry {
  /** `127.0.0.1:PORT`: Docker speaks to it without TLS. */
  readonly host: string;
  stop(): Promise<void>;
}

/** With `htpasswd` (a line of such a file) it lets in only who is named there. */
export async function openTestRegistry(htpasswd?: string): Promise<TestRegistry> {
  const folder = await mkdtemp(join(tmpdir(), "mammoth-registry-"));
  const host = `127.0.0.1:${await freePort()}`;
  const config = {
    version: 0.1,
    log: { level: "error" },
    storage: { filesystem: { rootdirectory: folder } },
    http: { addr: host },
    ...(htpasswd === undefined
      ? {}
      : { auth: { htpasswd: { realm: "test", path: join(folder, "htpasswd") } } }),
  };
  if (htpasswd !== undefined) await writeFile(join(folder, "htpasswd"), htpasswd);
  // JSON is YAML.
  await writeFile(join(folder, "config.yml"), JSON.stringify(config));
  const registry = spawn("docker-registry", ["serve", join(folder, "config.yml")], {
    stdio: "ignore",
  });
  for (let attempt = 0; ; attempt++) {
    const answers = await fetch(`http://${host}/v2/`).then(
      () => true,
      () => false,
    );
    if (answers) break;
    if (attempt === 200) throw new Error("docker-registry does not start");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return {
    host,
    async stop() {
      registry.kill("SIGKILL");
      await once(registry, "exit");
      await rm(folder, { recursive: true, force: true });
    },
  };
}
