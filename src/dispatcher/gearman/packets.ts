import { assert } from "../../base/assert.ts";
import { CodedError } from "../../base/errors.ts";

/**
 * The part of Gearman's binary protocol that hints need. A packet: magic (`\0REQ` of clients and workers,
 * `\0RES` of the server), type and length of the body as big-endian 32-bit numbers, and the body: arguments
 * with a zero byte between them. Source: the file PROTOCOL of gearmand.
 */
export const packetTypes = {
  canDo: 1,
  preSleep: 4,
  noop: 6,
  jobCreated: 8,
  grabJob: 9,
  noJob: 10,
  jobAssign: 11,
  workComplete: 13,
  echo: 16,
  echoed: 17,
  submitJobBackground: 18,
  error: 19,
} as const;

export type PacketType = keyof typeof packetTypes;

/** A packet of the server; `type` is undefined for one that we do not know. */
export interface Packet {
  readonly type: PacketType | undefined;
  readonly args: readonly string[];
}

const headerBytes = 12;
/** No answer to what we send comes near. */
const bodyBytesMax = 64 * 1024;
const request = Buffer.from("\0REQ", "latin1");
const response = Buffer.from("\0RES", "latin1");
const names = new Map(
  Object.entries(packetTypes).map(([name, type]) => [type as number, name as PacketType]),
);

/** A packet to the server. */
export function encodePacket(type: PacketType, ...args: readonly string[]): Buffer {
  assert(!args.some((arg) => arg.includes("\0")), "an argument has no zero byte");
  const body = Buffer.from(args.join("\0"));
  const header = Buffer.alloc(headerBytes);
  request.copy(header);
  header.writeUInt32BE(packetTypes[type], 4);
  header.writeUInt32BE(body.length, 8);
  return Buffer.concat([header, body]);
}

/** Puts packets of the server together from the pieces in which they come. */
export class PacketReader {
  private rest: Buffer = Buffer.alloc(0);

  /** The packets that end in this piece. @throws CodedError `unavailable` for bytes that no job server sends */
  push(piece: Buffer): Packet[] {
    this.rest = this.rest.length === 0 ? piece : Buffer.concat([this.rest, piece]);
    const packets: Packet[] = [];
    while (this.rest.length >= headerBytes) {
      const bytes = this.rest.readUInt32BE(8);
      if (!this.rest.subarray(0, 4).equals(response) || bytes > bodyBytesMax)
        throw new CodedError("unavailable", "What answers is no Gearman job server");
      const end = headerBytes + bytes;
      if (this.rest.length < end) break;
      const text = this.rest.toString("utf8", headerBytes, end);
      packets.push({
        type: names.get(this.rest.readUInt32BE(4)),
        args: text === "" ? [] : text.split("\0"),
      });
      this.rest = this.rest.subarray(end);
    }
    return packets;
  }
}
