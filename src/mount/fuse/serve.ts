import type { Log } from "../../base/log.ts";
import { Refusal, type Errno } from "../refusal.ts";
import type { Volume } from "../volume.ts";
import { Answers, type Asked } from "./answers.ts";
import type { Device, TakenRequest } from "./device.ts";
import { initFlags, transferBytesMax, version } from "./protocol.ts";
import { encodeError, encodeHeader, encodeInit, type Owner } from "./reply.ts";
import { decodeRequest, type Question, type Request } from "./request.ts";

export interface ServeOptions {
  readonly device: Device;
  readonly volume: Volume;
  /** Another volume at the same mount that a node belongs to. Default: there is none. */
  readonly otherVolume?: (node: number) => Volume | undefined;
  readonly owner: Owner;
  readonly log: Log;
}

/** Answers the kernel's requests until the mount has ended. */
export async function serve(options: ServeOptions): Promise<void> {
  const session = new Session(options);
  await session.readRequests();
  await session.settled();
}

class Session {
  private readonly options: ServeOptions;
  private readonly answers: Answers;
  /** Requests under way, so that they can be interrupted. */
  private readonly pending = new Map<number, AbortController>();
  private readonly working = new Set<Promise<void>>();

  constructor(options: ServeOptions) {
    this.options = options;
    this.answers = new Answers(options.volume, options.owner);
  }

  async readRequests(): Promise<void> {
    for (;;) {
      const taken = await this.options.device.read();
      if (taken === undefined) break;
      this.take(taken);
    }
    for (const request of this.pending.values()) request.abort();
  }

  /** Waits for all that is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.working);
  }

  private take({ bytes, giveBack }: TakenRequest): void {
    let request: Request;
    try {
      request = decodeRequest(bytes);
    } catch (error) {
      this.options.log.error({ err: error }, "A request of the kernel cannot be read");
      giveBack();
      return;
    }
    const { question } = request;
    // Only what is written still lies in the buffer.
    if (question.op !== "write") giveBack();
    if (question.op === "forget") this.forget(request.node, question.nodes);
    else if (question.op === "interrupt") this.interrupt(request.id, question.id);
    else if (question.op === "init") this.begin(request.id, question);
    else {
      const work = this.answer(request, question).finally(() => {
        this.working.delete(work);
        if (question.op === "write") giveBack();
      });
      this.working.add(work);
    }
  }

  private forget(node: number, nodes: readonly { node: number; uses: number }[]): void {
    for (const one of nodes) {
      // That of a single forget stands in the header.
      const forgotten = one.node === 0 ? node : one.node;
      (this.otherOf(forgotten) ?? this.options.volume).forget(forgotten, one.uses);
    }
  }

  private otherOf(node: number): Volume | undefined {
    return this.options.otherVolume?.(node);
  }

  private answersOf(node: number): Answers {
    const other = this.otherOf(node);
    return other === undefined ? this.answers : new Answers(other, this.options.owner);
  }

  private interrupt(id: number, of: number): void {
    const request = this.pending.get(of);
    if (request !== undefined) request.abort();
    // Perhaps answered just now: the kernel asks again only while it waits for that.
    else this.refuse(id, "EAGAIN");
  }

  private begin(id: number, asked: Extract<Question, { op: "init" }>): void {
    const isOld =
      asked.major < version.major || (asked.major === version.major && asked.minor < version.minor);
    if (isOld) {
      this.options.log.error(
        { major: asked.major, minor: asked.minor },
        "This kernel is too old to mount: Linux 5.2 or newer is needed",
      );
      this.refuse(id, "EPROTO");
      return;
    }
    const wanted = Object.values(initFlags).reduce((all, one) => all | one, 0);
    const flags = asked.flags & wanted;
    this.send(id, [encodeInit({ readAheadBytes: transferBytesMax, flags })]);
  }

  private async answer(request: Request, question: Asked): Promise<void> {
    const { id, node } = request;
    const asked = new AbortController();
    this.pending.set(id, asked);
    try {
      const parts = await this.answersOf(node).to(request, question, asked.signal);
      this.send(id, parts);
    } catch (error) {
      this.refuse(id, this.codeOf(error, question));
    } finally {
      this.pending.delete(id);
    }
  }

  private codeOf(error: unknown, question: Question): Errno {
    if (error instanceof Refusal) return error.code;
    if (error instanceof Error && error.name === "AbortError") return "EINTR";
    this.options.log.error({ err: error, op: question.op }, "A request of the kernel failed");
    return "EIO";
  }

  private send(id: number, parts: readonly Uint8Array[]): void {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    this.options.device.write([encodeHeader(id, bytes), ...parts]);
  }

  private refuse(id: number, code: Errno): void {
    this.options.device.write([encodeError(id, code)]);
  }
}
