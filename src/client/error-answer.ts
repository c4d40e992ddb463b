import type { IncomingMessage } from "node:http";
import { CodedError, errorCodes, type ErrorCode, type ErrorDetails } from "../base/errors.ts";
import { KiB } from "../base/size.ts";

const textBytesMax = 64 * KiB;

/** The failure an answer of status 400 and above describes; the server's own message where there is one. */
export async function errorOfAnswer(answer: IncomingMessage): Promise<CodedError> {
  const status = answer.statusCode ?? 500;
  const text = await readText(answer);
  const error = errorField(text);
  if (error === undefined) {
    const said = text.trim().slice(0, 200);
    return new CodedError(
      codeOfStatus(status),
      `pachd answered ${status} ${answer.statusMessage ?? ""}${said === "" ? "" : `: ${said}`}`,
    );
  }
  return codedErrorOf(error, status);
}

/** The failure that a JSON answer describes. */
export function codedErrorOf(error: Record<string, unknown>, status = 500): CodedError {
  const code = isErrorCode(error["code"]) ? error["code"] : codeOfStatus(status);
  const message =
    typeof error["message"] === "string" ? error["message"] : `pachd answered ${status}`;
  return new CodedError(code, message, { details: detailsOf(error["details"]) });
}

async function readText(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of answer as AsyncIterable<Buffer>) {
      parts.push(part);
      bytes += part.length;
      if (bytes > textBytesMax) break;
    }
  } catch {
    // The connection broke after the status: what has arrived is still the best message there is.
  }
  return Buffer.concat(parts).toString("utf8");
}

function errorField(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    if (!isRecord(parsed)) return undefined;
    return isRecord(parsed["error"]) ? parsed["error"] : parsed;
  } catch {
    return undefined;
  }
}

function detailsOf(value: unknown): ErrorDetails {
  if (!isRecord(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string | number] =>
      ["string", "number"].includes(typeof entry[1]),
    ),
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(errorCodes, value);
}

function codeOfStatus(status: number): ErrorCode {
  const codes = Object.keys(errorCodes) as ErrorCode[];
  return (
    codes.find((code) => errorCodes[code].http === status) ??
    (status < 500 ? "invalid_argument" : "unavailable")
  );
}
