import { CodedError } from "../base/errors.ts";
import { formatAddress, type Address } from "./address.ts";

/** What the operating system calls it when the other side is not there, or no longer. */
const causes: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was closed",
  EPIPE: "the connection was closed",
  ETIMEDOUT: "no answer",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to the network",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the host name cannot be looked up",
};

/** True when the request certainly never arrived, so that anything may be sent again. */
export function neverArrived(error: unknown): boolean {
  return codeOf(error) === "ECONNREFUSED";
}

/** True when the connection broke: the request may or may not have been carried out. */
export function isConnectionFailure(error: unknown): boolean {
  const code = codeOf(error);
  return code !== "ENOTFOUND" && code in causes;
}

/** A failed connection in words; any other error unchanged. */
export function explainConnection(error: unknown, address: Address): unknown {
  const code = codeOf(error);
  const at = formatAddress(address);
  const options = { cause: error };
  if (code.startsWith("HPE_")) {
    return new CodedError(
      "unavailable",
      `Cannot talk to pachd at ${at}: what listens there does not speak HTTP. Set ADDRESS=host:port`,
      options,
    );
  }
  const why = causes[code];
  if (why === undefined) return error;
  if (code === "ECONNRESET" || code === "EPIPE") {
    return new CodedError(
      "unavailable",
      `Lost the connection to pachd at ${at} before its answer was complete. Check that pachd runs, then repeat the command`,
      options,
    );
  }
  return new CodedError(
    "unavailable",
    `Cannot reach pachd at ${at}: ${why}. Start it with "pachd", or set ADDRESS=host:port`,
    options,
  );
}

function codeOf(error: unknown): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "";
}
