import { constants, openSync } from "node:fs";
import { Socket } from "node:net";

/** The pipe behind a command's stdin. */
export interface InputPipe {
  /**
   * Writes what the source gives, as fast as it is read, then ends the input. Settles early, and has the source
   * end, after close(). @throws what the source throws
   */
  feed(source: (signal: AbortSignal) => AsyncIterable<Uint8Array>): Promise<void>;
  /** The command has ended: nothing more is asked for. Safe at any time. */
  close(): void;
}

/** Opens the named pipe at `path`, which must exist; whoever then opens it for reading does not wait. */
export function openInputPipe(path: string): InputPipe {
  // Both ends: a writer alone would have to wait for the reader, and a reader for the writer.
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const socket = new Socket({ fd, readable: false, writable: true });
  socket.on("error", () => undefined);
  const closed = new AbortController();
  const write = async (piece: Uint8Array): Promise<void> => {
    await new Promise<void>((resolve) => socket.write(piece, () => resolve()));
  };
  return {
    async feed(source) {
      try {
        for await (const piece of source(closed.signal)) {
          if (closed.signal.aborted) return;
          if (piece.length > 0) await write(piece);
        }
      } catch (error) {
        if (!closed.signal.aborted) throw error;
      } finally {
        socket.destroy();
      }
    },
    close() {
      closed.abort();
      socket.destroy();
    },
  };
}
