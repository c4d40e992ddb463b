import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";

/**
 * The one pipe behind a command's stdout and stderr, so that they arrive in order. A named pipe and
 * not one of Node's own, which are sockets: a command may open `/dev/stdout` and `/dev/stderr`.
 */
export interface OutputPipe {
  /** For both ends of the command; close with `closeWriter` once it is started. */
  readonly writer: number;
  closeWriter(): void;
  /** Hands on what comes, a piece at a time, until every writer is gone. */
  pump(output: (piece: Uint8Array) => void | Promise<void>): Promise<void>;
  /** Gives both ends back. Safe at any time. */
  close(): void;
}

/** Opens the named pipe at `path`, which must exist. */
export function openOutputPipe(path: string): OutputPipe {
  // The reader first and without waiting: each end would wait for the other.
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  let writerOpen = true;
  let socket: Socket | undefined;
  const closeWriter = (): void => {
    if (writerOpen) closeSync(writer);
    writerOpen = false;
  };
  return {
    writer,
    closeWriter,
    async pump(output) {
      socket = new Socket({ fd: reader, readable: true, writable: false });
      for await (const piece of socket) await output(piece as Buffer);
    },
    close() {
      closeWriter();
      if (socket === undefined) closeSync(reader);
      else socket.destroy();
    },
  };
}
