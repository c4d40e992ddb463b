import { accessSync, constants } from "node:fs";
import { CodedError } from "../../base/errors.ts";

const directories = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/local/sbin"];

/** PATH of our own tools, and of user code whose spec names none. */
export const standardPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Absolute path of a tool of the operating system. Never searched in a PATH from outside: these
 * run with the daemon's rights.
 *
 * @throws CodedError `failed_precondition` naming the package that brings it
 */
export function findTool(name: string): string {
  for (const directory of directories) {
    const path = `${directory}/${name}`;
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  throw new CodedError(
    "failed_precondition",
    `Cannot run commands: the program "${name}" is not installed. Install the packages util-linux and coreutils`,
  );
}
