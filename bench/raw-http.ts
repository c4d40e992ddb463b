import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** An HTTP/1.1 connection that costs next to nothing, so that what is measured is the server. */
export class RawHttp {
  private readonly socket: Socket;
  private readonly address: string;

  private constructor(address: string, socket: Socket) {
    this.address = address;
    this.socket = socket;
  }

  /** @param address `host:port` */
  static async open(address: string): Promise<RawHttp> {
    const [host = "", port] = address.split(":");
    const socket = connect({ host, port: Number(port), noDelay: true });
    await once(socket, "connect");
    return new RawHttp(address, socket);
  }

  /** Sends a request of one packet; its answer must be one packet too, and a success. */
  async send(method: string, path: string, body: Buffer): Promise<void> {
    const head = `${method} ${path} HTTP/1.1\r\nHost: ${this.address}\r\nContent-Length: ${body.length}\r\n\r\n`;
    this.socket.write(Buffer.concat([Buffer.from(head), body]));
    const [answer] = (await once(this.socket, "data")) as [Buffer];
    const status = answer.toString("latin1", 9, 12);
    if (!status.startsWith("2")) throw new Error(`${method} ${path}: ${answer.toString()}`);
  }

  close(): void {
    this.socket.destroy();
  }
}
