import { CodedError } from "../../base/errors.ts";
import { pathOfKey } from "../../model/paths.ts";

/** One path both as file and as directory. `details.path` is the first of the keys. */
export function typeConflict(keys: readonly Buffer[]): CodedError {
  const paths = keys.map((key) => pathOfKey(key));
  return new CodedError("failed_precondition", `file type conflict: ${paths.join(", ")}`, {
    details: { path: paths[0] ?? "" },
  });
}
