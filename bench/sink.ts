import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A server in a process of its own that does the least there is to do; see sink-server.ts. */
export interface Sink {
  readonly url: string;
  close(): Promise<void>;
}

export async function openSink(folder: string): Promise<Sink> {
  const server = fileURLToPath(new URL("sink-server.ts", import.meta.url));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", server, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [port] = (await once(createInterface(child.stdout), "line")) as [string];
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      const gone = once(child, "exit");
      child.kill();
      await gone;
    },
  };
}
