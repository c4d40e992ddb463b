import { connect, type Socket } from "node:net";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { randomBelow, type Random } from "../../base/random.ts";
import { encodePacket, PacketReader, type Packet, type PacketType } from "./packets.ts";

export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

interface Listener {
  /** A connection is there, and nothing has been said on it. */
  opened(): void;
  heard(packet: Packet): void;
}

const firstDelayMs = 100;
const delayMsMax = 5_000;

/** A connection to a job server, made again whenever it is lost, with growing pauses. */
export class Connection {
  private readonly options: ConnectionOptions;
  private readonly listener: Listener;
  private readonly closing = new AbortController();
  private socket: Socket | undefined;
  private failures = 0;

  constructor(options: ConnectionOptions, listener: Listener) {
    this.options = options;
    this.listener = listener;
    this.open();
  }

  /** Sends a packet; false when there is no connection now: then it is lost. */
  send(type: PacketType, ...args: readonly string[]): boolean {
    if (this.socket?.readyState !== "open") return false;
    this.socket.write(encodePacket(type, ...args));
    return true;
  }

  close(): void {
    this.closing.abort();
    this.socket?.destroy();
  }

  private open(): void {
    const { host, port } = this.options;
    const reader = new PacketReader();
    let why = "the connection was closed";
    const socket = connect({ host, port, keepAlive: true });
    this.socket = socket;
    // A hint keeps no process alive.
    socket.unref();
    socket
      .on("connect", () => this.listener.opened())
      .on("data", (piece: Buffer) => {
        try {
          for (const packet of reader.push(piece)) this.heard(packet);
        } catch (error) {
          socket.destroy(error as Error);
        }
      })
      .on("error", (error) => void (why = error.message))
      .on("close", () => void this.again(why));
  }

  /** Only what it says proves that a job server is there. */
  private heard(packet: Packet): void {
    const { host, port, log } = this.options;
    if (this.failures > 0) log.info({ host, port }, "The job server is there again");
    this.failures = 0;
    this.listener.heard(packet);
  }

  private async again(why: string): Promise<void> {
    const { host, port, clock, random, log } = this.options;
    if (this.closing.signal.aborted) return;
    if (this.failures++ === 0)
      log.warn({ host, port, error: why }, "The job server is away; tasks start a little later");
    const delayMs = Math.min(delayMsMax, firstDelayMs * 2 ** Math.min(10, this.failures - 1));
    const waited = clock.sleep(delayMs - randomBelow(random, delayMs / 2), this.closing.signal);
    await waited.then(
      () => this.open(),
      () => undefined,
    );
  }
}
