// The headers that are written of a tar: ustar, and pax (POSIX.1-2001) where that has no room.

/** Headers and contents begin at multiples of this. */
export const tarBlockBytes = 512;

/** How headers say what is behind them. */
export const tarTypeCodes = {
  file: "0",
  link: "1",
  symlink: "2",
  "character-device": "3",
  "block-device": "4",
  directory: "5",
  fifo: "6",
  "contiguous-file": "7",
  "pax-header": "x",
  "pax-global-header": "g",
  "gnu-long-path": "L",
  "gnu-long-link-path": "K",
} as const;

/** Where the fields of a header are that are read as well as written. */
export const tarFields = {
  nameBytes: 100,
  sizeAt: 124,
  checksumAt: 148,
  typeAt: 156,
  magicAt: 257,
} as const;

const { nameBytes, sizeAt, checksumAt, typeAt, magicAt } = tarFields;
const space = 0x20;

/** How much is left of the last block of so many bytes. */
export function tarPaddingOf(bytes: number): number {
  return (tarBlockBytes - (bytes % tarBlockBytes)) % tarBlockBytes;
}

/** What is written of a file or directory. */
export interface NewTarHeader {
  /** That of a directory ends in a slash. */
  readonly name: string;
  readonly type: "file" | "directory";
  readonly bytes: number;
  readonly modifiedSeconds: number;
}

/** The most that eleven octal digits say. */
const octalBytesMax = 8 ** 11 - 1;

/** A header, behind one of pax where its name does not fit, or is not ASCII. */
export function encodeTarHeaders(header: NewTarHeader): Buffer {
  const { name } = header;
  const length = Buffer.byteLength(name);
  if (length === name.length && length <= nameBytes) return encodeHeader(header);
  const record = Buffer.from(paxRecord(` path=${name}\n`));
  const extension = { ...header, name: "PaxHeader", bytes: record.length };
  const padded = Buffer.alloc(record.length + tarPaddingOf(record.length));
  record.copy(padded);
  const short = { ...header, name: Buffer.from(name).toString("latin1", 0, nameBytes) };
  return Buffer.concat([
    encodeHeader(extension, tarTypeCodes["pax-header"]),
    padded,
    encodeHeader(short),
  ]);
}

/** A record begins with its own length, which counts itself. */
function paxRecord(rest: string): string {
  const bytes = Buffer.byteLength(rest);
  let length = bytes;
  for (let digits = 1; ; digits++) {
    length = bytes + digits;
    if (String(length).length === digits) return `${length}${rest}`;
  }
}

const template = templateHeader();

function templateHeader(): Buffer {
  const block = Buffer.alloc(tarBlockBytes);
  // User and group are 0.
  block.write("0000000\x000000000\x00", 108, "latin1");
  block.write("ustar\x0000", magicAt, "latin1");
  block.write("0000000\x000000000\x00", 329, "latin1");
  return block;
}

function encodeHeader(header: NewTarHeader, code: string = tarTypeCodes[header.type]): Buffer {
  const block = Buffer.allocUnsafe(tarBlockBytes);
  template.copy(block);
  block.write(header.name, 0, nameBytes, "latin1");
  block.write(header.type === "directory" ? "0000755" : "0000644", 100, "latin1");
  if (header.bytes <= octalBytesMax) block.write(octal(header.bytes, 11), sizeAt, "latin1");
  else {
    block[sizeAt] = 0x80;
    block.writeBigUInt64BE(BigInt(header.bytes), sizeAt + 4);
  }
  block.write(octal(header.modifiedSeconds, 11), 136, "latin1");
  block.write(code, typeAt, "latin1");
  let sum = 8 * space;
  for (let i = 0; i < tarBlockBytes; i++) sum += block[i]!;
  block.write(`${octal(sum, 6)}\0 `, checksumAt, "latin1");
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
