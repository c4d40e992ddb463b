import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { create, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";

/** Calls of gRPC over one connection: messages go out, and the status is checked. */
export class RawGrpc {
  private readonly session: ClientHttp2Session;

  /** @param address `host:port` */
  constructor(address: string) {
    this.session = connect(`http://${address}`);
  }

  /** Sends one message; gives back the bytes of the answer. */
  async call<M extends DescMessage>(
    path: string,
    schema: M,
    message: MessageInitShape<M>,
  ): Promise<number> {
    const bytes = toBinary(schema, create(schema, message));
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(bytes.length, 1);
    const stream = this.session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.end(Buffer.concat([prefix, bytes]));
    let received = 0;
    stream.on("data", (part: Buffer) => {
      received += part.length;
    });
    let status = "";
    stream.on("trailers", (trailers) => {
      status = `${String(trailers["grpc-status"])} ${String(trailers["grpc-message"] ?? "")}`;
    });
    await once(stream, "close");
    if (!status.startsWith("0")) throw new Error(`${path}: status ${status}`);
    return received;
  }

  close(): void {
    this.session.close();
  }
}
