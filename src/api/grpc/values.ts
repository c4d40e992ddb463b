import { MiB } from "../../base/size.ts";

/** Clients of today refuse messages above 4 MiB unless told otherwise. */
const valueBytesMax = MiB;

/** Bytes as the messages of a stream. */
export function* valuesOf(bytes: Uint8Array): Generator<{ value: Uint8Array }, void, void> {
  for (let start = 0; start < bytes.length; start += valueBytesMax)
    yield { value: bytes.subarray(start, start + valueBytesMax) };
}
