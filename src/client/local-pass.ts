import type { OutgoingHttpHeaders } from "node:http";
import { CodedError, isCoded, type ErrorCode } from "../base/errors.ts";
import { localProof, localProofHeader, localSecretPattern } from "../base/local-proof.ts";
import type { CallOptions, Connection } from "./connection.ts";

/** The machine that a client runs on. */
export interface LocalMachine {
  /** Which files paths lead to, see fileView(); undefined when that is not known. */
  fileView(): Promise<string | undefined>;
  /** The text of a small file; undefined when it cannot be read. */
  readText(path: string): Promise<string | undefined>;
}

/** Headers of a request whose body names files of this machine. */
export type PassHeaders = OutgoingHttpHeaders;

/**
 * Asks the daemon to read our files itself: for one on this machine whose secret we can read. Undefined when it
 * cannot, for whatever reason; nothing is told to a daemon elsewhere, and nothing that does not look like a secret
 * to anyone.
 */
export async function openLocalPass(
  connection: Connection,
  machine: LocalMachine | undefined,
  { signal }: CallOptions = {},
): Promise<PassHeaders | undefined> {
  if (machine === undefined || !connection.isLoopback) return undefined;
  const view = await machine.fileView();
  if (view === undefined) return undefined;
  const asked = await connection
    .jsonFrom<{ view?: string; secretFile?: string }>({ method: "GET", path: "/local", signal })
    .catch((error: unknown) => {
      // Also an older daemon, which has no such route.
      if (isCoded(error, "not_found")) return undefined;
      throw error;
    });
  const { secretFile } = asked?.value ?? {};
  if (secretFile === undefined || asked?.value.view !== view) return undefined;
  const secret = await machine.readText(secretFile);
  if (secret === undefined || !localSecretPattern.test(secret)) return undefined;
  return {
    [localProofHeader]: localProof(secret, asked),
    "content-type": "application/vnd.mammoth.names",
  };
}

/** What a daemon may say to names that it would not say to bytes, or as well then. */
const refusals: readonly ErrorCode[] = ["permission_denied", "not_found", "invalid_argument"];

/** Whether bytes are to be tried in place of names. */
export function isRefusal(error: unknown): boolean {
  return error instanceof CodedError && refusals.includes(error.code);
}

/** A body that names files: where each goes, and where it is. */
export function namesOf(files: Iterable<readonly [path: string, local: string]>): Buffer {
  const lines: string[] = [];
  for (const names of files) lines.push(`${JSON.stringify(names)}\n`);
  return Buffer.from(lines.join(""));
}
