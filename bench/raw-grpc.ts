import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { create, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";

const windowBytes = 4 * 1_024 * 1_024;

/** Calls of gRPC over one connection: messages go out, and the status is checked. */
export class RawGrpc {
  private readonly session: ClientHttp2Session;

  /** @param address `host:port` */
  constructor(address: string) {
    this.session = connect(`http://${address}`, { settings: { initialWindowSize: windowBytes } });
    this.session.once("connect", () => {
      this.session.setLocalWindowSize(windowBytes);
    });
  }

  /** Sends one message; gives back the bytes of the answer. */
  async call<M extends DescMessage>(
    path: string,
    schema: M,
    message: MessageInitShape<M>,
  ): Promise<number> {
    return await this.stream(path, [toBinary(schema, create(schema, message))]);
  }

  /** Sends encoded messages; gives back the bytes of the answer. */
  async stream(
    path: string,
    messages: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<number> {
    const stream = this.session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let received = 0;
    stream.on("data", (part: Buffer) => {
      received += part.length;
    });
    let status = "";
    stream.on("trailers", (trailers) => {
      status = `${String(trailers["grpc-status"])} ${String(trailers["grpc-message"] ?? "")}`;
    });
    const closed = once(stream, "close");
    for await (const bytes of messages) {
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(bytes.length, 1);
      stream.write(prefix);
      if (!stream.write(bytes)) await Promise.race([once(stream, "drain"), closed]);
    }
    stream.end();
    await closed;
    if (!status.startsWith("0")) throw new Error(`${path}: status ${status}`);
    return received;
  }

  close(): void {
    this.session.close();
  }
}
