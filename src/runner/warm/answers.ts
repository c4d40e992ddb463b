import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";

/** The lines that come out of a pipe, one at a time as they are asked for. */
export class Answers {
  private readonly socket: Socket;
  private readonly letGo: () => void;
  private readonly lines: string[] = [];
  private rest = "";
  private closed = false;
  private wake: () => void = () => undefined;

  /** @param letGo called once, when no more is to be read */
  constructor(socket: Socket, letGo: () => void = () => undefined) {
    this.socket = socket;
    this.letGo = letGo;
    this.socket.setEncoding("latin1");
    this.socket.on("data", (piece: string) => {
      const lines = (this.rest + piece).split("\n");
      this.rest = lines.pop() ?? "";
      this.lines.push(...lines);
      this.wake();
    });
    for (const event of ["error", "end"]) this.socket.on(event, () => this.close());
  }

  /** Of the named pipe at `path`, which must exist. */
  static open(path: string): Answers {
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    // Held until close(): a pipe without any writer has ended.
    const writer = openSync(path, constants.O_WRONLY);
    const socket = new Socket({ fd: reader, readable: true, writable: false });
    return new Answers(socket, () => closeSync(writer));
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
    this.letGo();
    this.socket.destroy();
    this.wake();
  }
}
