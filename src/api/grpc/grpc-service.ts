import {
  fromBinary,
  toBinary,
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import { CodedError } from "../../base/errors.ts";

/** What a handler knows of its call. */
export interface Call {
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

type Handler<M> = M extends {
  input: infer I extends DescMessage;
  output: infer O extends DescMessage;
  methodKind: infer K;
}
  ? K extends "unary"
    ? (request: MessageShape<I>, call: Call) => Promise<MessageInitShape<O>>
    : K extends "server_streaming"
      ? (request: MessageShape<I>, call: Call) => AsyncIterable<MessageInitShape<O>>
      : K extends "client_streaming"
        ? (requests: AsyncIterable<MessageShape<I>>, call: Call) => Promise<MessageInitShape<O>>
        : never
  : never;

/** A function for each method of a service. */
export type Handlers<S> =
  S extends GenService<infer M extends GenServiceMethods>
    ? { readonly [K in keyof M]: Handler<M[K]> }
    : never;

/** A method as bytes: messages come in, messages go out. */
export type BinaryMethod = (
  requests: AsyncIterable<Uint8Array>,
  call: Call,
) => AsyncIterable<Uint8Array>;

type AnyHandler = (request: unknown, call: Call) => unknown;

/** The methods of a service by their path; `names` are what else the service is called. */
export function methodsOf<S extends DescService>(
  service: S,
  handlers: Handlers<S>,
  names: readonly string[] = [],
): Map<string, BinaryMethod> {
  const methods = new Map<string, BinaryMethod>();
  for (const method of service.methods) {
    const handler = (handlers as Record<string, AnyHandler>)[method.localName]!;
    for (const name of [service.typeName, ...names])
      methods.set(`/${name}/${method.name}`, binary(method, handler));
  }
  return methods;
}

function binary(method: DescMethod, handler: AnyHandler): BinaryMethod {
  const { methodKind } = method;
  return async function* (requests, call) {
    const input =
      methodKind === "client_streaming" ? decoded(method, requests) : await only(method, requests);
    const answer = handler(input, call);
    if (methodKind === "server_streaming")
      for await (const message of answer as AsyncIterable<MessageInitShape<DescMessage>>)
        yield encoded(method, message);
    else yield encoded(method, (await answer) as MessageInitShape<DescMessage>);
  };
}

async function* decoded(
  { input }: DescMethod,
  requests: AsyncIterable<Uint8Array>,
): AsyncGenerator<MessageShape<DescMessage>, void, void> {
  for await (const bytes of requests) yield decode(input, bytes);
}

async function only(
  { input, name }: DescMethod,
  requests: AsyncIterable<Uint8Array>,
): Promise<MessageShape<DescMessage>> {
  let message: MessageShape<DescMessage> | undefined;
  for await (const bytes of requests) {
    if (message !== undefined)
      throw new CodedError("invalid_argument", `${name} takes one message, and got another`);
    message = decode(input, bytes);
  }
  if (message === undefined)
    throw new CodedError("invalid_argument", `${name} takes a message, and got none`);
  return message;
}

function decode(schema: DescMessage, bytes: Uint8Array): MessageShape<DescMessage> {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw new CodedError(
      "invalid_argument",
      `Cannot read the request: it is no ${schema.typeName}`,
      {
        cause,
      },
    );
  }
}

function encoded({ output }: DescMethod, message: MessageInitShape<DescMessage>): Uint8Array {
  return toBinary(output, create(output, message));
}
