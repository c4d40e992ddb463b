import { timingSafeEqual } from "node:crypto";
import { CodedError } from "../base/errors.ts";
import { sha256 } from "../base/hash.ts";

/** @throws CodedError `unauthenticated` unless the header carries the token; with none, everybody gets in */
export function requireToken(authorization: string | undefined, token: string | undefined): void {
  if (token === undefined) return;
  const given = /^Bearer (.+)$/.exec(authorization ?? "")?.[1] ?? "";
  if (timingSafeEqual(sha256(Buffer.from(given)), sha256(Buffer.from(token)))) return;
  throw new CodedError(
    "unauthenticated",
    'This daemon asks for a token: send it as "Authorization: Bearer ...", or set PACH_TOKEN_FILE for pachctl',
  );
}
