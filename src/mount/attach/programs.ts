import { spawn, type StdioOptions } from "node:child_process";
import { hasErrno } from "../../base/errno.ts";

/** How a program ended; undefined when there is none of that name. */
export type Ended = { readonly code: number; readonly message: string } | undefined;

/** Runs a program to its end; never waits for it in a way that would keep this process from answering it. */
export function runProgram(
  program: string,
  args: readonly string[],
  descriptors: readonly number[] = [],
): Promise<Ended> {
  const stdio: StdioOptions = ["ignore", "ignore", "pipe", ...descriptors];
  const child = spawn(program, args, { stdio });
  let message = "";
  child.stderr?.on("data", (bytes: Buffer) => {
    message = (message + bytes.toString()).slice(0, 2_000);
  });
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      if (hasErrno(error, "ENOENT", "EACCES")) resolve(undefined);
      else reject(error);
    });
    child.once("close", (code) => {
      resolve({ code: code ?? 1, message: message.trim() });
    });
  });
}
