import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { randomBelow, type Random } from "../../../src/base/random.ts";

const kinds = [
  "answered 500",
  "answered 503",
  "lost on the way there",
  "lost on the way back",
  "body cut",
  "carried out twice",
  "slow",
  "never answered",
] as const;

interface Answer {
  readonly status: number;
  readonly headers: string[];
  readonly body: Buffer;
}

/** An HTTP proxy in front of an S3 server that spoils some of the requests, in one of eight ways. */
export class S3FaultProxy {
  endpoint = "";
  /** Of a hundred requests, how many are spoilt. */
  percent = 0;
  /** Whether some are never answered, which takes as long as the client waits. */
  isPatient = false;
  requests = 0;
  readonly faults: Record<string, number> = {};
  private readonly target: string;
  private readonly random: Random;

  private constructor(target: string, random: Random) {
    this.target = target;
    this.random = random;
  }

  static async open(t: TestContext, target: string, random: Random): Promise<S3FaultProxy> {
    const proxy = new S3FaultProxy(target, random);
    const server = createServer((asked, reply) => {
      reply.on("error", () => undefined);
      proxy.handle(asked, reply).catch(() => reply.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    proxy.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return proxy;
  }

  private async handle(asked: IncomingMessage, reply: ServerResponse): Promise<void> {
    this.requests++;
    const parts: Buffer[] = [];
    if (asked.headers.expect !== undefined) reply.writeContinue();
    for await (const part of asked) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const isSpoilt = randomBelow(this.random, 100) < this.percent;
    const fault = isSpoilt
      ? kinds[randomBelow(this.random, kinds.length - (this.isPatient ? 0 : 1))]!
      : "none";
    this.faults[fault] = (this.faults[fault] ?? 0) + 1;
    switch (fault) {
      case "answered 500":
      case "answered 503":
        reply.writeHead(Number(fault.slice(-3)), { "content-type": "application/xml" });
        reply.end("<Error><Code>InternalError</Code><Message>injected</Message></Error>");
        return;
      case "lost on the way there":
        reply.destroy();
        return;
      case "lost on the way back":
        await this.forward(asked, body);
        reply.destroy();
        return;
      case "never answered":
        await this.forward(asked, body);
        return;
      case "carried out twice":
        await this.forward(asked, body);
        break;
      case "body cut":
      case "slow":
      case "none":
        break;
    }
    const answer = await this.forward(asked, body);
    reply.writeHead(answer.status, answer.headers);
    if (fault === "body cut") {
      reply.write(answer.body.subarray(0, answer.body.length >> 1), () => reply.destroy());
      return;
    }
    if (fault === "slow") {
      const step = Math.ceil(answer.body.length / 10) || 1;
      for (let at = 0; at < answer.body.length; at += step) {
        reply.write(answer.body.subarray(at, at + step));
        await sleep(30);
      }
      reply.end();
      return;
    }
    reply.end(answer.body);
  }

  /** Headers as they came: they are signed. */
  private async forward(asked: IncomingMessage, body: Buffer): Promise<Answer> {
    const url = new URL(asked.url ?? "/", this.target);
    return await new Promise<Answer>((resolve, reject) => {
      const sent = request(
        url,
        {
          method: asked.method ?? "GET",
          headers: asked.rawHeaders.filter(isForwarded),
          agent: false,
        },
        (answer) => {
          const parts: Buffer[] = [];
          answer.on("data", (part: Buffer) => parts.push(part));
          answer.once("error", reject);
          answer.once("end", () =>
            resolve({
              status: answer.statusCode ?? 500,
              headers: answer.rawHeaders,
              body: Buffer.concat(parts),
            }),
          );
        },
      );
      sent.once("error", reject);
      sent.end(body);
    });
  }
}

/** A name and its value follow one another; who waits for leave to send has been given it. */
function isForwarded(_: string, index: number, all: readonly string[]): boolean {
  return all[index - (index % 2)]!.toLowerCase() !== "expect";
}
