import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { KiB } from "../../base/size.ts";

const pieceBytes = 64 * KiB;

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
      await new Promise<void>((resolve, reject) => {
        const take = (bytes: number, buffer: Uint8Array): boolean => {
          const taken = handOn(output, buffer.subarray(0, bytes));
          if (taken === undefined) return true;
          taken.then(() => pipe.resume(), fail);
          return false;
        };
        // One buffer for all: a new one for each piece costs more time than the pieces.
        const onread = { buffer: Buffer.allocUnsafeSlow(pieceBytes), callback: take };
        const pipe = new Socket({ fd: reader, readable: true, writable: false, onread });
        socket = pipe;
        const fail = (error: Error): void => {
          pipe.destroy();
          reject(error);
        };
        pipe.once("error", reject);
        pipe.once("end", resolve);
        pipe.once("close", resolve);
        pipe.resume();
      });
    },
    close() {
      closeWriter();
      if (socket === undefined) closeSync(reader);
      else socket.destroy();
    },
  };
}

/** Whoever throws at once fails as whoever does later: nothing may be thrown into a socket. */
function handOn(
  output: (piece: Uint8Array) => void | Promise<void>,
  piece: Uint8Array,
): Promise<void> | undefined {
  try {
    return output(piece) ?? undefined;
  } catch (error) {
    return Promise.reject(error as Error);
  }
}
