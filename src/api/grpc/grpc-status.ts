import type { OutgoingHttpHeaders } from "node:http2";
import { errorCodes, type CodedError } from "../../base/errors.ts";

const unknown = 2;
/** What is not said by a method, but about the call: generic clients act on it. */
const codesKept: ReadonlySet<string> = new Set([
  "cancelled",
  "deadline_exceeded",
  "unauthenticated",
  "unimplemented",
]);

/** Bytes of a text on the wire: a client may refuse an answer whose headers have more than 8 KiB. */
const textBytesMax = 6_000;

/** What ends an answer without error. */
export const okTrailers: OutgoingHttpHeaders = { "grpc-status": "0" };

/**
 * What ends an answer with an error: the bare text under UNKNOWN, as every handler of the 1.2 series sent it.
 *
 * @param userAgent clients of that series show the text as it is on the wire, later ones decode it
 */
export function trailersOf(error: CodedError, userAgent: string): OutgoingHttpHeaders {
  const isKept = codesKept.has(error.code) && error.details["classic"] === undefined;
  const text = textOf(error);
  return {
    "grpc-status": String(isKept ? errorCodes[error.code].grpc : unknown),
    // Spaces around it would make the header malformed, and the client would drop it.
    "grpc-message": (userAgent.startsWith("grpc-go/0.") ? rawText(text) : encoded(text)).trim(),
  };
}

/** The words of the 1.2 series where it had any. */
function textOf({ code, details, message }: CodedError): string {
  if (code === "internal") return "The daemon failed in a way it should not: see its log";
  return String(details["classic"] ?? message).toWellFormed();
}

/** Bytes of UTF-8, each as one character; what would end the connection is a space. */
function rawText(text: string): string {
  const bytes = Buffer.from(text.replaceAll(/\p{Cc}+/gu, " "), "utf8");
  return bytes.toString("latin1", 0, textBytesMax);
}

/** As the protocol says: all but printable ASCII, and the percent sign, as %XX. */
function encoded(text: string): string {
  let escaped = "";
  for (const byte of Buffer.from(text, "utf8")) {
    if (escaped.length >= textBytesMax) break;
    escaped +=
      byte < 0x20 || byte > 0x7e || byte === 0x25
        ? `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
        : String.fromCharCode(byte);
  }
  return escaped;
}
