import { CodedError } from "../../base/errors.ts";
import { tarBlockBytes, tarFields, tarTypeCodes as typeCodes } from "../../model/tar-headers.ts";

// The headers of a tar, in the dialects there are: v7, ustar and pax (POSIX.1-2001), GNU.

/** What a header says about the entry behind it. */
export interface TarHeader {
  readonly name: string;
  readonly bytes: number;
  readonly type: TarType;
}

export type TarType = keyof typeof typeCodes | "thing of an unknown kind";

const typesByCode = new Map<number, TarType>(
  Object.entries(typeCodes).map(([type, code]) => [code.charCodeAt(0), type as TarType]),
);

/** What is wrong with a tar, said to the one who sent it. */
export function tarError(reason: string): CodedError {
  return new CodedError(
    "invalid_argument",
    `Cannot read the tar: ${reason}. Send a whole one, as "tar -c" makes it`,
  );
}

const { nameBytes, sizeAt, checksumAt, typeAt, magicAt } = tarFields;
const prefixAt = 345;
const prefixBytes = 155;
const space = 0x20;

/**
 * Reads a header; undefined for the empty block that marks an end.
 *
 * @throws CodedError `invalid_argument` for what is no header
 */
export function readTarHeader(block: Buffer): TarHeader | undefined {
  let sum = 8 * space;
  for (let i = 0; i < checksumAt; i++) sum += block[i]!;
  for (let i = checksumAt + 8; i < tarBlockBytes; i++) sum += block[i]!;
  if (sum === 8 * space) return undefined;
  if (sum !== readNumber(block, checksumAt, 8)) {
    throw tarError("a header in it is damaged, or it is compressed");
  }
  const code = block[typeAt]!;
  const named = textAt(block, 0, nameBytes);
  // GNU's own format, whose magic ends in spaces, has times where the others have a prefix.
  const hasPrefix = block[prefixAt] !== 0 && block[magicAt + 5] === 0 && isUstar(block);
  const name = hasPrefix ? `${textAt(block, prefixAt, prefixBytes)}/${named}` : named;
  const isOldFolder = code === 0 && name.endsWith("/");
  return {
    name,
    bytes: readNumber(block, sizeAt, 12),
    type: isOldFolder
      ? "directory"
      : code === 0
        ? "file"
        : (typesByCode.get(code) ?? "thing of an unknown kind"),
  };
}

function isUstar(block: Buffer): boolean {
  return block.toString("latin1", magicAt, magicAt + 5) === "ustar";
}

/** Text up to its NUL, at most `bytesMax` of it. */
function textAt(block: Buffer, at: number, bytesMax: number): string {
  let end = at;
  while (end < at + bytesMax && block[end] !== 0) end++;
  return block.toString("utf8", at, end);
}

/** An octal number, or one in base 256 where that was too short. */
function readNumber(block: Buffer, at: number, length: number): number {
  if (block[at]! >= 0x80) {
    let value = block[at] === 0xff ? -1 : block[at]! & 0x7f;
    for (let i = at + 1; i < at + length; i++) value = value * 256 + block[i]!;
    return value;
  }
  let i = at;
  const end = at + length;
  while (i < end && (block[i] === space || block[i] === 0)) i++;
  let value = 0;
  for (; i < end && block[i]! >= 0x30 && block[i]! <= 0x37; i++)
    value = value * 8 + block[i]! - 0x30;
  return value;
}

/** What extended headers say about the entry that follows. */
export interface TarExtension {
  readonly name?: string;
  readonly bytes?: number;
}

/** Reads the records of a pax header: `25 path=some/long/name\n`. */
export function readPaxRecords(records: Buffer): TarExtension {
  const said: { name?: string; bytes?: number } = {};
  for (let at = 0; at < records.length;) {
    const keyAt = records.indexOf(space, at) + 1;
    const length = Number(records.toString("latin1", at, keyAt));
    const valueAt = records.indexOf("=", keyAt) + 1;
    if (keyAt === 0 || valueAt === 0 || !(length > valueAt - at)) break;
    const key = records.toString("latin1", keyAt, valueAt - 1);
    const value = records.toString("utf8", valueAt, at + length - 1);
    if (key === "path") said.name = value;
    else if (key === "size") said.bytes = Number(value);
    at += length;
  }
  return said;
}

/** Reads the name in a GNU extension. */
export function readLongName(content: Buffer): TarExtension {
  const end = content.indexOf(0);
  return { name: content.toString("utf8", 0, end < 0 ? content.length : end) };
}
