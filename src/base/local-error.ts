import { errnoOf } from "./errno.ts";
import { CodedError, type ErrorCode } from "./errors.ts";

const reasons: Readonly<Record<string, { code: ErrorCode; why: string }>> = {
  ENOENT: { code: "not_found", why: "there is no such file" },
  ENOTDIR: { code: "not_found", why: "there is no such file" },
  EACCES: { code: "permission_denied", why: "permission denied" },
  EPERM: { code: "permission_denied", why: "permission denied" },
  EISDIR: { code: "invalid_argument", why: "it is a directory" },
  ELOOP: { code: "invalid_argument", why: "too many symbolic links" },
  ENOSPC: { code: "resource_exhausted", why: "the disk is full" },
  EDQUOT: { code: "resource_exhausted", why: "the quota is used up" },
};

/** Why a local file cannot be read, or written, in one line; anything else unchanged. */
export function explainLocal(error: unknown, path: string, what = "read"): unknown {
  const code = errnoOf(error);
  if (error instanceof CodedError || code === "" || code === "ABORT_ERR") return error;
  return new CodedError(...localError(code, path, what), { cause: error });
}

/** Code and message of what the operating system calls `errno`. */
export function localError(errno: string, path: string, what = "read"): [ErrorCode, string] {
  // Who cannot write is not to wait until we can.
  const other = what === "read" ? "unavailable" : "invalid_argument";
  const reason = reasons[errno] ?? { code: other, why: errno };
  return [reason.code, `Cannot ${what} ${path}: ${reason.why}`];
}
