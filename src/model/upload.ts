import { CodedError } from "../base/errors.ts";
import { quote } from "../base/quote.ts";

/** Bytes or files that have arrived and belong to no commit yet. */
export interface UploadInfo {
  readonly id: string;
  /** `bytes`: of one file, in order; `files`: those of one tar. */
  readonly kind: "bytes" | "files";
  /** That are durable, from the start. */
  readonly bytes: number;
  readonly files: number;
  /** Nothing more is to come: it can be put. */
  readonly complete: boolean;
  readonly createdMicros: number;
  /** When it is forgotten unless something is added to it. */
  readonly expiresMicros: number;
}

/** What an upload becomes. */
export interface PlacedUpload {
  readonly id: string;
  /** Of an upload of bytes: the file that gets them. */
  readonly path?: string | undefined;
  /** Of an upload of bytes: replaces what the file has. Default: they are appended. */
  readonly overwrite?: boolean | undefined;
}

/** An upload that is not added to is kept this long. */
export const uploadKeptMicros = 24 * 3_600 * 1_000_000;

/** @throws CodedError `invalid_argument` for an id that two callers might choose by chance */
export function parseUploadId(id: string): string {
  if (/^[0-9A-Za-z_-]{16,64}$/.test(id)) return id;
  throw new CodedError(
    "invalid_argument",
    `Cannot use ${quote(id)} as the id of an upload: choose 16 to 64 letters, digits, - and _ at random`,
  );
}

/** What is sent does not begin where the upload ends: another request of the same upload was faster, or an answer was lost. */
export function uploadMoved({ id, bytes, complete }: UploadInfo): CodedError {
  const why = complete ? "it is complete" : `it goes on at byte ${bytes}`;
  return new CodedError(
    "aborted",
    `Cannot add to upload ${id} there: ${why}. Ask how far it is, then send the rest`,
    { details: { upload: id, offset: bytes } },
  );
}
