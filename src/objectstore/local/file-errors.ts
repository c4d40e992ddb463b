import { errnoOf, hasErrno } from "../../base/errno.ts";
import { CodedError, codedErrorFrom } from "../../base/errors.ts";

/** What the store was doing: "write object", its key, and the folder it did it in. */
export interface Attempt {
  readonly action: string;
  readonly key: string;
  readonly folder: string;
}

/** The CodedError for anything a file operation threw; a missing file is `not_found`. */
export function fileError(thrown: unknown, attempt: Attempt): CodedError {
  if (thrown instanceof CodedError) return thrown;
  const { action, key, folder } = attempt;
  const what = `Cannot ${action} "${key}"`;
  const reason = errnoOf(thrown);
  const coded = (code: CodedError["code"], message: string): CodedError =>
    new CodedError(code, `${what}${message}`, { cause: thrown, details: { key } });
  if (hasErrno(thrown, "ENOENT"))
    return coded("not_found", `: there is no such object in ${folder}`);
  if (hasErrno(thrown, "ENOSPC", "EDQUOT")) {
    return coded(
      "resource_exhausted",
      `: the disk of ${folder} is full (${reason}). Free space there, then try again`,
    );
  }
  if (hasErrno(thrown, "EACCES", "EPERM", "EROFS")) {
    return coded(
      "permission_denied",
      `: the daemon may not use ${folder} (${reason}). Make it writable for the user that runs pachd`,
    );
  }
  if (hasErrno(thrown, "EMFILE", "ENFILE")) {
    return coded(
      "unavailable",
      `: too many open files (${reason}). Raise the limit (ulimit -n), or try again`,
    );
  }
  if (hasErrno(thrown, "EIO", "EAGAIN", "EBUSY", "ESTALE", "ETIMEDOUT")) {
    return coded(
      "unavailable",
      `: the disk of ${folder} gives errors (${reason}). Look at the system's log, then try again`,
    );
  }
  if (hasErrno(thrown, "EEXIST", "ENOTDIR", "EISDIR", "ENOTEMPTY")) {
    return coded(
      "failed_precondition",
      `: something else stands in its place below ${folder} (${reason}). Move it away`,
    );
  }
  return codedErrorFrom(thrown);
}
