import { connect, type Socket } from "node:net";
import { once } from "node:events";

/** Types of HTTP/2 frames (RFC 9113, 6). */
export const frameTypes = { data: 0, headers: 1, rstStream: 3, settings: 4, goaway: 7 } as const;

/** A frame of HTTP/2. */
export function http2Frame(
  type: number,
  payload: Uint8Array,
  { flags = 0, stream = 1 } = {},
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Headers without compression; names and values of less than 127 bytes. */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const literal = (text: string): Buffer =>
    Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);
  return Buffer.concat(
    Object.entries(headers).map(([name, value]) =>
      Buffer.concat([Buffer.from([0]), literal(name), literal(value)]),
    ),
  );
}

/** The headers of a call, as stream 1. */
export function callHeaders(path: string): Buffer {
  const block = headerBlock({
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "localhost",
    "content-type": "application/grpc",
  });
  return http2Frame(frameTypes.headers, block, { flags: 4 });
}

/** A connection on which frames are written by hand; what comes back is thrown away. */
export async function rawConnection(address: string): Promise<Socket> {
  const { hostname, port } = new URL(`http://${address}`);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  socket.resume();
  await once(socket, "connect");
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  socket.write(http2Frame(frameTypes.settings, Buffer.alloc(0), { stream: 0 }));
  return socket;
}
