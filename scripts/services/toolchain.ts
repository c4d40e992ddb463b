import { execFile } from "node:child_process";
import { promisify } from "node:util";

const exec = promisify(execFile);

/** A program that says its version, and the oldest that will do. */
export interface Toolchain {
  readonly program: string;
  readonly versionArgs: readonly string[];
  /** Major and minor. */
  readonly oldest: readonly [number, number];
}

/** What sdk/python is for. */
export const python: Toolchain = {
  program: "python3",
  versionArgs: ["--version"],
  oldest: [3, 9],
};

/** What sdk/go is for. */
export const go: Toolchain = { program: "go", versionArgs: ["version"], oldest: [1, 23] };

/** Why a toolchain cannot be used here; undefined when it can. */
export async function whyNoToolchain({
  program,
  versionArgs,
  oldest,
}: Toolchain): Promise<string | undefined> {
  const printed = await exec(program, [...versionArgs]).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
  if (printed === undefined) return `${program} is not installed`;
  const [, major, minor] = /(\d+)\.(\d+)/.exec(printed) ?? [];
  const isNewEnough =
    Number(major) > oldest[0] || (Number(major) === oldest[0] && Number(minor) >= oldest[1]);
  return isNewEnough ? undefined : `${printed} is older than ${oldest.join(".")}`;
}
