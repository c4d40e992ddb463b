import type { OutgoingHttpHeaders } from "node:http2";
import type { CodedError } from "../../base/errors.ts";

const unknown = 2;
const codesKept = { unimplemented: 12, deadline_exceeded: 4, cancelled: 1 } as const;

/** What ends an answer without error. */
export const okTrailers: OutgoingHttpHeaders = { "grpc-status": "0" };

/**
 * What ends an answer with an error: the bare text under UNKNOWN, as every handler of the 1.2 series sent it.
 *
 * @param userAgent clients of that series show the text as it is on the wire, later ones decode it
 */
export function trailersOf(error: CodedError, userAgent: string): OutgoingHttpHeaders {
  const code = error.code in codesKept ? codesKept[error.code as keyof typeof codesKept] : unknown;
  return {
    "grpc-status": String(code),
    "grpc-message": userAgent.startsWith("grpc-go/0.")
      ? rawText(textOf(error))
      : encoded(textOf(error)),
  };
}

/** Bytes of UTF-8, each as one character; what would end the connection is a space. */
function rawText(text: string): string {
  return Buffer.from(text.replaceAll(/[\p{Cc}]+/gu, " "), "utf8").toString("latin1");
}

/** As the protocol says: all but printable ASCII, and the percent sign, as %XX. */
function encoded(text: string): string {
  return [...Buffer.from(text.toWellFormed(), "utf8")]
    .map((byte) =>
      byte < 0x20 || byte > 0x7e || byte === 0x25
        ? `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
        : String.fromCharCode(byte),
    )
    .join("");
}

/** The words of the 1.2 series where it had any. */
function textOf({ details, message }: CodedError): string {
  return String(details["classic"] ?? message);
}
