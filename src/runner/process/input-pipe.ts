import { closeSync, constants, openSync, readSync } from "node:fs";
import { Socket } from "node:net";
import { KiB } from "../../base/size.ts";

/** The pipe behind a command's stdin. */
export interface InputPipe {
  /**
   * Writes what the source gives, as fast as it is read, then ends the input. Settles early, and has the source
   * end, after stop(). @throws what the source throws
   */
  feed(source: (signal: AbortSignal) => AsyncIterable<Uint8Array>): Promise<void>;
  /** The command has ended: nothing more is asked for. Safe at any time. */
  stop(): void;
  /** Stops, and takes out what nobody has read. Safe at any time. */
  close(): void;
}

/** Opens the named pipe at `path`, which must exist; whoever then opens it for reading does not wait. */
export function openInputPipe(path: string): InputPipe {
  // Both ends: a writer alone would have to wait for the reader, and a reader for the writer.
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  // A short input may all be written before the command is there: without a reader it would be lost.
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  let isOpen = true;
  const socket = new Socket({ fd, readable: false, writable: true });
  socket.on("error", () => undefined);
  const stopped = new AbortController();
  const write = async (piece: Uint8Array): Promise<void> => {
    await new Promise<void>((resolve) => socket.write(piece, () => resolve()));
  };
  const stop = (): void => {
    stopped.abort();
    socket.destroy();
  };
  return {
    stop,
    async feed(source) {
      try {
        for await (const piece of source(stopped.signal)) {
          if (stopped.signal.aborted) return;
          if (piece.length > 0) await write(piece);
        }
      } catch (error) {
        if (!stopped.signal.aborted) throw error;
      } finally {
        socket.destroy();
      }
    },
    close() {
      stop();
      if (!isOpen) return;
      isOpen = false;
      try {
        empty(reader);
      } finally {
        closeSync(reader);
      }
    },
  };
}

/** In a pipe that others keep open what is left would be the next command's. */
function empty(reader: number): void {
  const piece = Buffer.allocUnsafe(64 * KiB);
  try {
    while (readSync(reader, piece) > 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
  }
}
