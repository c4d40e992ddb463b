import { Socket } from "node:net";
import { Client } from "pg";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { randomHex, type Random } from "../../base/random.ts";

const channel = "mammoth";
/** Topics given within this time leave as one message. */
const gatherMs = 3;
/** PostgreSQL takes messages of less than 8 000 bytes. */
const messageBytesMax = 7_900;
/** More are not kept: they are hints, and everybody looks again by himself every two seconds. */
const topicsMax = 1_000;
const reconnectMs = 1_000;
const connectMs = 5_000;
/** A server that says nothing for so long is taken for lost: hints wait for nobody. */
const answerMs = 10_000;

/** Hints between daemons: any may be lost, doubled or late. */
export interface Topics {
  /** Tells the other daemons to look again. */
  give(topic: string): void;
  /** Calls `wake` for every topic another daemon gives. One listener. */
  onGiven(wake: (topic: string) => void): void;
  close(): Promise<void>;
}

export interface TopicsDeps {
  readonly url: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Opens the channel; while it is down, hints are lost. */
export async function openTopics(deps: TopicsDeps): Promise<Topics> {
  const topics = new PostgresTopics(deps);
  await topics.connect();
  return topics;
}

class PostgresTopics implements Topics {
  private readonly deps: TopicsDeps;
  /** In front of each message, to know one's own. */
  private readonly self: string;
  private readonly waiting = new Set<string>();
  private readonly closing = new AbortController();
  private client: Client | undefined;
  /** Of the client, or of one that is not connected yet. */
  private socket: Socket | undefined;
  private wake: (topic: string) => void = () => undefined;
  private sending: Promise<void> | undefined;
  private reconnecting: Promise<void> | undefined;

  constructor(deps: TopicsDeps) {
    this.deps = deps;
    this.self = randomHex(deps.random, 4);
  }

  give(topic: string): void {
    if (this.client === undefined || this.waiting.size >= topicsMax) return;
    this.waiting.add(topic);
    this.sending ??= this.send().finally(() => {
      this.sending = undefined;
    });
  }

  onGiven(wake: (topic: string) => void): void {
    this.wake = wake;
  }

  async connect(): Promise<void> {
    const socket = new Socket();
    this.socket = socket;
    const client = new Client({
      connectionString: this.deps.url,
      application_name: "mammoth hints",
      connectionTimeoutMillis: connectMs,
      query_timeout: answerMs,
      keepAlive: true,
      stream: () => socket,
    });
    client.on("notification", ({ payload = "" }) => {
      const [sender, ...given] = payload.split("\n");
      if (sender !== this.self) for (const topic of given) this.wake(topic);
    });
    client.on("error", () => {
      this.lost(client);
    });
    client.on("end", () => {
      this.lost(client);
    });
    try {
      await client.connect();
      // A message is no fact: nobody waits for the disk to keep it.
      await client.query(`SET synchronous_commit = off; LISTEN ${channel}`);
    } catch (thrown) {
      socket.destroy();
      throw thrown;
    }
    this.client = client;
  }

  /** Waits for no answer: the server may give none. */
  async close(): Promise<void> {
    this.closing.abort();
    this.client = undefined;
    this.socket?.destroy();
    await this.sending;
    await this.reconnecting;
  }

  private async send(): Promise<void> {
    await this.deps.clock.sleep(gatherMs);
    while (this.waiting.size > 0) {
      let message = this.self;
      for (const topic of this.waiting) {
        if (Buffer.byteLength(message) + Buffer.byteLength(topic) + 1 > messageBytesMax) break;
        message += `\n${topic}`;
        this.waiting.delete(topic);
      }
      if (message === this.self || this.client === undefined) return this.waiting.clear();
      const { socket } = this;
      await this.client.query(`SELECT pg_notify($1, $2)`, [channel, message]).catch(() => {
        socket?.destroy();
      });
    }
  }

  private lost(client: Client): void {
    if (this.client !== client || this.closing.signal.aborted) return;
    this.client = undefined;
    this.reconnecting = this.reconnect();
  }

  private async reconnect(): Promise<void> {
    const { signal } = this.closing;
    while (this.client === undefined && !signal.aborted) {
      await this.deps.clock.sleep(reconnectMs, signal).catch(() => undefined);
      if (!signal.aborted) await this.connect().catch(() => undefined);
    }
  }
}
