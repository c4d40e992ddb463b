import { timingSafeEqual } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { CodedError } from "../../base/errors.ts";
import { localProof, localProofHeader } from "../../base/local-proof.ts";
import type { LocalFiles } from "../../localfiles/index.ts";

/**
 * For clients on the daemon's own machine that may read whatever it may: they name files instead of sending
 * them. A client proves that by a secret in a file that only the daemon's own user can read.
 */
export interface LocalDoor {
  readonly files: LocalFiles;
  /** See fileView(): only for a client with the same view do its paths mean the same here. */
  readonly view: string;
  /** Where the secret is. */
  readonly secretFile: string;
  readonly secret: string;
}

/** @throws CodedError `permission_denied` unless the request has the proof */
export function requireProof(request: FastifyRequest, door: LocalDoor | undefined): LocalDoor {
  const { localAddress: address, localPort: port } = request.raw.socket;
  const given = Buffer.from(String(request.headers[localProofHeader] ?? ""));
  const expected = Buffer.from(
    door === undefined ? "" : localProof(door.secret, { address, port }),
  );
  if (door !== undefined && given.length === expected.length && timingSafeEqual(given, expected))
    return door;
  throw new CodedError(
    "permission_denied",
    "Cannot touch local files for this request: it does not prove to be of this daemon's user on its machine. Send the bytes, or read them, instead",
  );
}
