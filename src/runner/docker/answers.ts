import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";

/** The lines that come out of a named pipe, one at a time as they are asked for. */
export class Answers {
  private readonly socket: Socket;
  private readonly writer: number;
  private readonly lines: string[] = [];
  private rest = "";
  private closed = false;
  private wake: () => void = () => undefined;

  /** Opens the pipe at `path`, which must exist. */
  constructor(path: string) {
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    // Held until close(): a pipe without any writer has ended.
    this.writer = openSync(path, constants.O_WRONLY);
    this.socket = new Socket({ fd: reader, readable: true, writable: false });
    this.socket.setEncoding("latin1");
    this.socket.on("data", (piece: string) => {
      const lines = (this.rest + piece).split("\n");
      this.rest = lines.pop() ?? "";
      this.lines.push(...lines);
      this.wake();
    });
    this.socket.on("error", () => {
      this.close();
    });
  }

  /** The next line; undefined after close(). For one caller at a time. */
  async next(): Promise<string | undefined> {
    while (this.lines.length === 0 && !this.closed)
      await new Promise<void>((resolve) => (this.wake = resolve));
    return this.lines.shift();
  }

  /** Safe to call again. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    closeSync(this.writer);
    this.socket.destroy();
    this.wake();
  }
}
