import { readFile } from "node:fs/promises";
import { CodedError } from "../base/errors.ts";

/** @throws CodedError `failed_precondition` for a file that cannot be read, or holds too little */
export async function readToken(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const token = (
    await readFile(file, "utf8").catch((error: unknown) => {
      throw new CodedError(
        "failed_precondition",
        `Cannot read the token file ${file}: ${(error as Error).message.split(",")[0]}. Give --token-file a file that this user can read`,
      );
    })
  ).trim();
  if (token.length >= 16) return token;
  throw new CodedError(
    "failed_precondition",
    `Cannot use the token in ${file}: it has fewer than 16 characters. Make one with "openssl rand -hex 16"`,
  );
}
