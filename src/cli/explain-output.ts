import { CodedError } from "../base/errors.ts";

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such folder",
  ENOTDIR: "a file is in the place of a folder",
  EISDIR: "a folder is there",
  ERR_FS_EISDIR: "a folder is there",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "it cannot be written to",
  ENOSPC: "the disk is full",
  EDQUOT: "the quota is used up",
  ENAMETOOLONG: "the name is too long",
};

/** Why nothing can be written there, in one line; what has other causes unchanged. */
export function explainOutput(error: unknown, to: string): unknown {
  if (error instanceof CodedError || !(error instanceof Error) || !("code" in error)) return error;
  const why = reasons[String(error.code)];
  if (why === undefined) return error;
  const code = error.code === "ENOSPC" ? "resource_exhausted" : "invalid_argument";
  return new CodedError(code, `Cannot write ${to}: ${why}`, { cause: error });
}
