import type { CodedError } from "../../base/errors.ts";
import type { RunSpec } from "../runner.ts";

/**
 * Why Docker cannot start a command, when that is due to the spec: a program or user that the image
 * does not have. Undefined for what has other causes.
 */
export function whyRefused(error: CodedError, spec: RunSpec): string | undefined {
  const { message } = error;
  const program = /exec: "[^]*?": (?:stat [^:]*: )?([^:]+)/.exec(message)?.[1];
  if (program !== undefined)
    return `cmd "${spec.cmd[0] ?? ""}" cannot be started in image ${spec.image}: ${program.trim()}${hintFor(spec)}`;
  const user = /unable to find (?:user|group) [^:]+: [^:]+/.exec(message)?.[0];
  return user === undefined
    ? undefined
    : `user "${spec.user ?? ""}" is not known in image ${spec.image}: ${user}`;
}

function hintFor({ cmd }: RunSpec): string {
  return (cmd[0] ?? "").includes(" ")
    ? "; arguments are further elements of cmd, not part of the first"
    : "";
}
