import { errnoOf } from "./errno.ts";
/**
 * Every way a call can fail. A closed set, part of the API: `docs/reference/errors.md` is this
 * table, and a test compares the two.
 *
 * | column | meaning |
 * | --- | --- |
 * | http | status of a REST answer |
 * | grpc | status code on the gRPC wire |
 * | exit | exit code of `pachctl` |
 */
export const errorCodes = {
  invalid_argument: { http: 400, grpc: 3, exit: 1 },
  usage: { http: 400, grpc: 3, exit: 2 },
  unauthenticated: { http: 401, grpc: 16, exit: 1 },
  permission_denied: { http: 403, grpc: 7, exit: 1 },
  not_found: { http: 404, grpc: 5, exit: 1 },
  already_exists: { http: 409, grpc: 6, exit: 1 },
  failed_precondition: { http: 409, grpc: 9, exit: 1 },
  aborted: { http: 409, grpc: 10, exit: 1 },
  too_slow: { http: 408, grpc: 4, exit: 1 },
  too_large: { http: 413, grpc: 8, exit: 1 },
  out_of_range: { http: 416, grpc: 11, exit: 1 },
  cancelled: { http: 499, grpc: 1, exit: 1 },
  data_loss: { http: 500, grpc: 15, exit: 1 },
  internal: { http: 500, grpc: 13, exit: 1 },
  unimplemented: { http: 501, grpc: 12, exit: 1 },
  unavailable: { http: 503, grpc: 14, exit: 1 },
  deadline_exceeded: { http: 504, grpc: 4, exit: 1 },
  resource_exhausted: { http: 507, grpc: 8, exit: 1 },
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** Facts for programs and logs, such as `{ commit: "master/1" }`. Never secrets. */
export type ErrorDetails = Readonly<Record<string, string | number>>;

/** An expected failure. Callers branch on `code`, never on the message. Anything else thrown is a bug. */
export class CodedError extends Error {
  override readonly name = "CodedError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(
    code: ErrorCode,
    message: string,
    options: { details?: ErrorDetails; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** True for a CodedError, with the given code when one is named. */
export function isCoded(error: unknown, code?: ErrorCode): error is CodedError {
  return error instanceof CodedError && (code === undefined || error.code === code);
}

const diskFull = new Set(["ENOSPC", "EDQUOT"]);

/**
 * Turns anything thrown into a CodedError: itself, an abort as `cancelled`, a full disk as
 * `resource_exhausted`, everything else as `internal` with the original as its cause.
 */
export function codedErrorFrom(thrown: unknown): CodedError {
  if (thrown instanceof CodedError) return thrown;
  if (!(thrown instanceof Error)) return new CodedError("internal", String(thrown));
  if (thrown.name === "AbortError")
    return new CodedError("cancelled", "The call was cancelled", { cause: thrown });
  const code = errnoOf(thrown);
  if (diskFull.has(code)) {
    return new CodedError(
      "resource_exhausted",
      `Cannot write: the disk of the daemon's root is full (${code}). Free space there, then repeat the command`,
      { cause: thrown },
    );
  }
  return new CodedError("internal", thrown.message, { cause: thrown });
}
