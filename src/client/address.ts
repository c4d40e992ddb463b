import { CodedError } from "../base/errors.ts";

/** Where pachd listens when nothing else is said: loopback, as the daemon itself. */
export const defaultAddress = "127.0.0.1:30650";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads `host:port`, `host`, `[::1]:port` or `http://host:port`; the port defaults to 30650.
 *
 * @throws CodedError `invalid_argument` for anything else
 */
export function parseAddress(typed: string): Address {
  const bare = typed.replace(/^http:\/\//, "").replace(/\/$/, "");
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]@?#]+))(?::(\d{1,5}))?$/.exec(bare);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3] ?? 30_650);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new CodedError(
      "invalid_argument",
      `Cannot use address ${JSON.stringify(typed)}. Set ADDRESS=host:port, such as ${defaultAddress}`,
    );
  }
  return { host, port };
}

/** `host:port`, as people write it. */
export function formatAddress(address: Address): string {
  return address.host.includes(":")
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}
