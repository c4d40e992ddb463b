import type { FastifyReply, FastifyRequest } from "fastify";
import {
  CodedError,
  codedErrorFrom,
  errorCodes,
  type ErrorCode,
  type ErrorDetails,
} from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";

/** A failure as its caller is told. */
export interface SaidError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** Answers a failure as JSON: `{ "error": { "code", "message", "details" } }`. */
export function answerError(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Log,
): void {
  const error = errorToSay(thrown, request, reply, log);
  if (error === undefined) return;
  void reply
    .code(errorCodes[error.code].http)
    .type("application/json; charset=utf-8")
    .send({ error });
}

/** Answers a failure as a text for people. */
export function answerErrorText(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Log,
): void {
  const error = errorToSay(thrown, request, reply, log);
  if (error === undefined) return;
  void reply
    .code(errorCodes[error.code].http)
    .type("text/plain; charset=utf-8")
    .send(`${error.message}\n`);
}

/** Undefined when it is too late to say anything. */
function errorToSay(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Log,
): SaidError | undefined {
  const error = saidError(thrown, request, log);
  if (reply.raw.headersSent) {
    // The body has begun: only breaking the connection tells the reader that it is not whole.
    reply.raw.destroy();
    return undefined;
  }
  // What is left of a refused upload is not worth reading to its end.
  if (!request.raw.complete) reply.header("connection", "close");
  // An answer that failed before its first byte has said what it was going to be.
  for (const name of ["content-length", "content-range", "accept-ranges", "etag"])
    reply.removeHeader(name);
  return error;
}

/** A failure as its caller is told; logs what is a failure of ours. */
export function saidError(thrown: unknown, request: FastifyRequest, log: Log): SaidError {
  const found = fromFastify(thrown) ?? codedErrorFrom(thrown);
  const error = (found.code === "internal" ? cutOff(request) : undefined) ?? found;
  const { code, details } = error;
  if (code !== "internal") return { code, message: error.message, details };
  log.error(
    {
      method: request.method,
      // The query may hold a url to be fetched, with a password.
      path: pathOf(request),
      error: error.cause instanceof Error ? error.cause.stack : error.message,
    },
    "a request failed for a reason of ours",
  );
  return { code, message: "The daemon failed in a way it should not: see its log", details };
}

/** A caller that goes away in the middle of its body is no failure of ours, whatever it made fail. */
function cutOff(request: FastifyRequest): CodedError | undefined {
  if (request.raw.complete || !request.raw.destroyed) return undefined;
  return new CodedError(
    "cancelled",
    "The upload was cut off: nothing of it is kept. Send it again",
  );
}

function fromFastify(thrown: unknown): CodedError | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown) || !("statusCode" in thrown))
    return undefined;
  const { code, statusCode } = thrown;
  if (
    typeof code !== "string" ||
    !code.startsWith("FST_") ||
    typeof statusCode !== "number" ||
    statusCode >= 500
  )
    return undefined;
  return new CodedError("invalid_argument", `Cannot read the request: ${thrown.message}`);
}

/** Answers what is no route; `methods` are those that the path takes. */
export function answerUnknownRoute(
  request: FastifyRequest,
  reply: FastifyReply,
  methods: readonly string[],
): void {
  if (methods.length > 0) return refuseMethod(request, reply, methods.join(", "));
  const message = `There is no ${request.method} ${pathOf(request)}: GET / names the ways in`;
  void reply.code(404).send({ error: { code: "not_found", message, details: {} } });
}

function refuseMethod(request: FastifyRequest, reply: FastifyReply, methods: string): void {
  const message = `There is no ${request.method} ${pathOf(request)}: it takes ${methods}`;
  const error = { code: "invalid_argument", message, details: {} };
  void reply.code(405).header("allow", methods).send({ error });
}

function pathOf({ url }: FastifyRequest): string {
  return url.split("?", 1)[0]!;
}
