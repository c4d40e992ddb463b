import type { Server } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { CodedError } from "../../base/errors.ts";
import { isCurlPath } from "../curl/curl-door.ts";
import type { Limits } from "../limits.ts";

/** Refuses heads that are too large, and bodies that stop coming. */
export function guardRequests(server: FastifyInstance, limits: Limits): void {
  const answers = new WeakMap<Socket, FastifyReply["raw"]>();
  server.addHook("onRequest", (request, reply, done) => {
    const { raw } = request;
    const { socket } = raw;
    answers.set(socket, reply.raw);
    if (Buffer.byteLength(request.url) > limits.urlBytesMax)
      return sendRefusal(request, reply, { status: 414, error: urlTooLong(limits) });
    if (raw.rawHeaders.length / 2 > limits.headersMax)
      return sendRefusal(request, reply, { status: 431, error: tooManyHeaders(limits) });
    raw.on("timeout", () => {
      // What has come and was not taken is our own delay.
      if (raw.readableLength > 0 || reply.sent) return;
      reply.raw.once("finish", () => raw.destroy());
      sendRefusal(request, reply, { status: 408, error: stalled(limits) });
    });
    done();
  });
  // Without a listener every quiet connection is closed, also of those who wait for an answer.
  server.server.on("timeout", (socket: Socket) => {
    const isAnswered = answers.get(socket)?.closed ?? true;
    if (isAnswered || socket.writableLength > 0) socket.destroy();
  });
}

/** Has the server look after the heads of its connections, which it does on its own only when it listens. */
export function watchHeads(server: Server): void {
  server.emit("listening");
}

/** Answers what is no request; the connection ends with it. */
export function refuseHead(error: NodeJS.ErrnoException, socket: Socket, limits: Limits): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") writeRefusal(socket, 408, tooSlow(limits));
  else if (error.code === "HPE_HEADER_OVERFLOW") writeRefusal(socket, 431, headTooLarge(limits));
  else
    writeRefusal(
      socket,
      400,
      new CodedError(
        "invalid_argument",
        `Cannot read the request: it is no HTTP (${error.message})`,
      ),
    );
}

/** Writes an answer where nothing else can, and ends the connection. */
export function writeRefusal(socket: Socket, status: number, error: CodedError): void {
  const { code, message, details } = error;
  const body = JSON.stringify({ error: { code, message, details } });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Content-Type: application/json; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
  // Closing with something unread would take the answer away from who has not read it.
  socket.resume();
}

function sendRefusal(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, error }: { status: number; error: CodedError },
): void {
  const { code, message, details } = error;
  void reply.code(status).header("connection", "close");
  if (isCurlPath(request.url)) void reply.type("text/plain; charset=utf-8").send(`${message}\n`);
  else
    void reply.type("application/json; charset=utf-8").send({ error: { code, message, details } });
}

function urlTooLong({ urlBytesMax }: Limits): CodedError {
  return new CodedError(
    "too_large",
    `Cannot read the request: its URL has more than ${urlBytesMax} bytes. Shorten the path or the query`,
  );
}

function tooManyHeaders({ headersMax }: Limits): CodedError {
  return new CodedError(
    "too_large",
    `Cannot read the request: it has more than ${headersMax} headers. Leave some out`,
  );
}

function headTooLarge({ headBytesMax }: Limits): CodedError {
  return new CodedError(
    "too_large",
    `Cannot read the request: its URL and headers have more than ${headBytesMax} bytes. Leave some out`,
  );
}

function tooSlow({ headMs }: Limits): CodedError {
  return new CodedError(
    "too_slow",
    `Cannot read the request: its headers were not there after ${headMs / 1_000} s. Send it again`,
  );
}

function stalled({ stallMs }: Limits): CodedError {
  return new CodedError(
    "too_slow",
    `Cannot read the request: nothing of its body came for ${stallMs / 1_000} s. Nothing of it is kept: send it again`,
  );
}
