import type { Readable } from "node:stream";
import { CodedError } from "../../base/errors.ts";

/** Every message is preceded by a byte that says whether it is compressed, and its length. */
const prefixBytes = 5;
/** The most that one buffer holds. Clients of the 1.2 series send whole files as one message. */
const messageBytesMax = 2 ** 31 - 1;

/** The message as it goes over the wire, as two buffers. */
export function prefixed(message: Uint8Array): [Buffer, Uint8Array] {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(message.length, 1);
  return [prefix, message];
}

/**
 * The messages of a stream.
 *
 * @throws CodedError `unimplemented` for a compressed one, `invalid_argument` when the stream ends within one
 */
export async function* readMessages(stream: Readable): AsyncGenerator<Buffer, void, void> {
  let parts: Buffer[] = [];
  let held = 0;
  let wanted = prefixBytes;
  let isPrefix = true;
  // Who stops reading has still to answer on the stream.
  for await (const part of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    parts.push(part);
    held += part.length;
    while (held >= wanted) {
      const all = parts.length === 1 ? parts[0]! : Buffer.concat(parts, held);
      const taken = all.subarray(0, wanted);
      parts = held === wanted ? [] : [all.subarray(wanted)];
      held -= wanted;
      wanted = isPrefix ? lengthIn(taken) : prefixBytes;
      if (!isPrefix) yield taken;
      isPrefix = !isPrefix;
      if (!isPrefix && wanted === 0) {
        yield Buffer.alloc(0);
        wanted = prefixBytes;
        isPrefix = true;
      }
    }
  }
  if (held > 0 || !isPrefix)
    throw new CodedError("invalid_argument", "The request ended in the middle of a message");
}

function lengthIn(prefix: Buffer): number {
  if (prefix[0] !== 0)
    throw new CodedError("unimplemented", "Cannot read a compressed message: send it as it is");
  const length = prefix.readUInt32BE(1);
  if (length > messageBytesMax)
    throw new CodedError("resource_exhausted", `Cannot take a message of ${length} bytes`);
  return length;
}
