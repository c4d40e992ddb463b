import { once } from "node:events";
import { mkdir, realpath } from "node:fs/promises";
import { createServer } from "node:net";
import { hasErrno } from "../base/errno.ts";
import { CodedError } from "../base/errors.ts";
import { sha256 } from "../base/hash.ts";

/**
 * Makes the folder of a worker and keeps others out of it as long as this process lives: by a socket named
 * after it, which the system takes away even from a process that is killed.
 *
 * @throws CodedError `failed_precondition` when another worker uses it, or it cannot be made
 */
export async function lockFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((error: Error) => {
    throw new CodedError(
      "failed_precondition",
      `Cannot make the folder ${folder}: ${error.message}. Choose another --root`,
    );
  });
  const name = sha256(Buffer.from(await realpath(folder))).toString("hex", 0, 16);
  const server = createServer((socket) => socket.destroy());
  server.unref();
  server.listen(`\0mammoth-worker-${name}`);
  await once(server, "listening").catch((error: unknown) => {
    if (!hasErrno(error, "EADDRINUSE")) throw error;
    throw new CodedError(
      "failed_precondition",
      `Cannot use ${folder}: another worker does. Stop that one, or choose another --root`,
    );
  });
}
