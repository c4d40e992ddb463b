import { once } from "node:events";
import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from "node:http2";
import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { prefixed, readMessages } from "../message-stream.ts";

/** How a call ended that did not succeed. */
export class CallFailed extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What a call sends besides its messages. */
export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** How a call was answered. */
export interface Answer {
  readonly httpStatus: number;
  readonly status: number;
  /** As it came over the wire, one character a byte. */
  readonly rawMessage: string;
  readonly messages: Buffer[];
}

interface Method<I extends DescMessage, O extends DescMessage> extends Pick<
  DescMethod,
  "name" | "parent"
> {
  readonly input: I;
  readonly output: O;
}

/** A client of one connection; `agent` is what it says it is. */
export class GrpcClient {
  private readonly session: ClientHttp2Session;
  private readonly agent: string;

  constructor(address: string, agent = "grpc-test/1.0") {
    this.agent = agent;
    this.session = connect(`http://${address}`, { maxSessionMemory: 256 });
    this.session.on("error", () => undefined);
  }

  /** Sends messages, gives back all that come. @throws CallFailed */
  async all<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    requests: Iterable<MessageInitShape<I>>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>[]> {
    const parts = [...requests].map((request) =>
      toBinary(method.input, create(method.input, request)),
    );
    const path = `/${method.parent.typeName}/${method.name}`;
    const answer = await this.bytes(path, parts.map(framed), options);
    if (answer.status !== 0)
      throw new CallFailed(answer.status, decodeURIComponent(answer.rawMessage));
    return answer.messages.map((message) => fromBinary(method.output, message));
  }

  /** Sends one message, gives back the one that comes. @throws CallFailed */
  async one<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const [message] = await this.all(method, [request], options);
    if (message === undefined) throw new Error(`${method.name} was answered without a message`);
    return message;
  }

  /** Sends parts as they are. */
  async bytes(
    path: string,
    parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    { headers = {}, signal }: CallOptions = {},
  ): Promise<Answer> {
    const stream = this.session.request(
      {
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
        "user-agent": this.agent,
        ...headers,
      },
      signal === undefined ? {} : { signal },
    );
    let trailers: IncomingHttpHeaders = {};
    stream.once("trailers", (given) => {
      trailers = given;
    });
    let response: IncomingHttpHeaders | undefined;
    stream.once("response", (given) => {
      response = given;
    });
    const sending = (async () => {
      for await (const part of parts) if (!stream.write(part)) await once(stream, "drain");
      stream.end();
    })();
    sending.catch(() => undefined);
    const messages: Buffer[] = [];
    for await (const message of readMessages(stream)) messages.push(message);
    if (response === undefined) throw new Error("the call ended without an answer");
    return {
      httpStatus: Number(response[":status"]),
      status: Number(trailers["grpc-status"] ?? response["grpc-status"] ?? -1),
      rawMessage: String(trailers["grpc-message"] ?? ""),
      messages,
    };
  }

  close(): void {
    this.session.destroy();
  }
}

/** A message with its prefix. */
export function framed(message: Uint8Array): Buffer {
  return Buffer.concat(prefixed(message));
}
