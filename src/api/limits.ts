import { KiB, MiB } from "../base/size.ts";

/** What one client, or all together, may take of the port. docs/reference/rest.md has the same table. */
export interface Limits {
  /** Open connections, of all kinds. */
  readonly connectionsMax: number;
  /** Streams of events that go on at once. */
  readonly streamsMax: number;
  /** Method, URL and headers together. */
  readonly headBytesMax: number;
  readonly urlBytesMax: number;
  readonly headersMax: number;
  /** From the first byte of a request to the end of its headers. */
  readonly headMs: number;
  /** Between two bytes of a body, and between two that a reader takes of an answer. */
  readonly stallMs: number;
  /** Between two requests on a connection. */
  readonly idleMs: number;
  /** Without a call on a connection of gRPC. */
  readonly callIdleMs: number;
  /** How often the times of heads are looked at. */
  readonly lookMs: number;
}

export const defaultLimits: Limits = {
  connectionsMax: 4_096,
  streamsMax: 1_024,
  // A path may have 64 KiB, three times that when every byte is escaped.
  headBytesMax: 256 * KiB,
  urlBytesMax: 224 * KiB,
  headersMax: 200,
  headMs: 60_000,
  stallMs: 300_000,
  idleMs: 72_000,
  callIdleMs: 3_600_000,
  lookMs: 10_000,
};

/** Of a JSON body. Bodies of bytes have no limit. */
export const jsonBytesMax = 16 * MiB;
