import { Console } from "node:console";
import { readFileSync, readSync, writeSync } from "node:fs";
import type { Readable } from "node:stream";
import { Places, Settings, type Content } from "./mapreduce-places.ts";

export type { Content } from "./mapreduce-places.ts";

const pieceBytes = 65_536;
const retryMs = 2;

/**
 * Runs a program of a MapReduceJob: the worker says by the environment whether it is to map, combine or reduce. What
 * the functions throw is the failure of the attempt, with the trace in its log.
 *
 * ```ts
 * await runJobWorker({
 *   async map(input, emit, { open }) {
 *     for await (const line of createInterface(await open(input)))
 *       for (const word of line.split(/\s+/)) if (word !== "") emit(word, 1);
 *   },
 *   reduce(key, values, emit) {
 *     let sum = 0;
 *     for (const value of values) sum += Number(value);
 *     emit(key, sum);
 *   },
 * });
 * ```
 */
export async function runJobWorker(worker: JobWorker): Promise<void> {
  // Standard output is for records: what is said goes to the log.
  globalThis.console = new Console(process.stderr);
  const settings = new Settings(process.env, fileAt);
  const places = new Places(settings);
  const write = (bytes: Buffer): void => writeAll(1, bytes);
  const say = (line: string): void => writeAll(2, Buffer.from(`${line}\n`));
  try {
    await runStage(worker, { settings, places, read: readPiece, write, say });
  } catch (error) {
    const { stack, message } =
      error instanceof Error ? error : { stack: undefined, message: String(error) };
    say(stack ?? message);
    // Something may still be under way that nobody waits for.
    process.exit(1);
  }
}

function fileAt(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

/** Waits for what comes; a buffer of its own each time. */
function readPiece(): Buffer | undefined {
  const buffer = Buffer.allocUnsafeSlow(pieceBytes);
  const count = again(() => readSync(0, buffer));
  return count === 0 ? undefined : buffer.subarray(0, count);
}

/** Waits for whoever reads: that keeps a fast program from filling memory. */
function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += again(() => writeSync(fd, bytes, at));
}

/** A pipe that is not ready says so where it does not block. */
function again(call: () => number): number {
  for (;;) {
    try {
      return call();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EOF") return 0;
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs);
    }
  }
}

/** Hands on a record. Between stages keys and values may be any bytes; in the last one they are written as they are. */
export type Emit = (key: Field, value?: Field) => void;

/** What functions are given besides. */
export interface Tools {
  /** Opens a file at `s3://`, `http://`, `https://` or `pfs://`; read it to its end. */
  open(uri: string): Promise<Readable>;
  /**
   * Stores a file, replacing what is there, and gives back its address: at an address, or by a name in the bucket of
   * the job (KUBEMR_S3_BUCKET_NAME) or on branch `puts` of its output repo. It is there at once, also if the attempt
   * fails afterwards: names should depend on the input or the task, so that the next attempt stores the same.
   */
  put(key: string, content: Content): Promise<string>;
  /** `jobargs` of the document. */
  readonly args: Readonly<Record<string, string>>;
  /** A value of the secret that `usersecretname` names. */
  secret(name: string): Buffer | undefined;
  /** Adds to a counter of the run. */
  count(group: string, name: string, amount?: number): void;
  /** Number of the map task, or of the partition. */
  readonly id: number;
}

type MaybeAsync = void | Promise<void>;
/** Is given the values of a key one at a time, as it asks for them. */
export type Reduce = (
  key: Buffer,
  values: Iterable<Buffer>,
  emit: Emit,
  tools: Tools,
) => MaybeAsync;

/** A user's program: what it does with an input, and with all values of a key. */
export interface JobWorker {
  map(input: string, emit: Emit, tools: Tools): MaybeAsync;
  /** Not needed with `partitions: 0`. */
  readonly reduce?: Reduce;
  /** With `combine: true`; default: `reduce`. */
  readonly combine?: Reduce;
}

/** What a program runs on. */
export interface WorkerMachine {
  readonly settings: Settings;
  readonly places: Places;
  /** Its input, a piece at a time; undefined at the end. */
  readonly read: () => Buffer | undefined;
  /** Its output; done with the bytes when it returns, however long that takes. */
  readonly write: (bytes: Buffer) => void;
  /** A line for the log. */
  readonly say: (line: string) => void;
}

/** Does what the worker of the job wants done: map, combine or reduce. @throws what the function throws */
export async function runStage(worker: JobWorker, machine: WorkerMachine): Promise<void> {
  const { settings, write } = machine;
  const stage = settings.find("PACH_STAGE");
  const isLast = stage === "reducer" || settings.find("PACH_PARTITIONS") === "0";
  const writer = new RecordWriter(write, { isLast });
  const emit: Emit = (key, value) => writer.record(key, value);
  const tools = toolsOf(machine);
  if (stage === "mapper") await worker.map(wholeInput(machine), emit, tools);
  else if (stage === "combiner")
    await reduceAll(worker.combine ?? worker.reduce, "combine", machine, { emit, tools });
  else if (stage === "reducer") await reduceAll(worker.reduce, "reduce", machine, { emit, tools });
  else throw new Error("This program is run by a MapReduceJob: PACH_STAGE does not say what to do");
  writer.flush();
}

async function reduceAll(
  reduce: Reduce | undefined,
  name: string,
  { read }: WorkerMachine,
  { emit, tools }: { emit: Emit; tools: Tools },
): Promise<void> {
  if (reduce === undefined) throw new Error(`This program has no function ${name}`);
  for (const { key, values } of new RecordReader(read).groups()) {
    const done = reduce(key, values, emit, tools);
    if (done !== undefined) await done;
  }
}

/** The text that a map task is about, without the end of its line. */
function wholeInput({ read }: WorkerMachine): string {
  const pieces: Buffer[] = [];
  for (let piece = read(); piece !== undefined; piece = read()) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8").replace(/\n$/, "");
}

function toolsOf({ settings, places, say }: WorkerMachine): Tools {
  return {
    open: async (uri) => await places.open(uri),
    put: async (key, content) => await places.put(key, content),
    args: JSON.parse(settings.find("PACH_JOB_ARGS") ?? "{}") as Record<string, string>,
    secret: (name) => settings.secret(name),
    count: (group, name, amount = 1) => say(`reporter:counter:${group},${name},${amount}`),
    id: Number(settings.find("PACH_PARTITION") ?? 0),
  };
}

/** A key or value: bytes as they are, or what it is as text. */
export type Field = string | Uint8Array | number | bigint;

const tab = 0x09;
const newline = 0x0a;
/**
 * Tab and newline end fields and lines, so in a field they become two bytes, and so does what marks them. Chosen so
 * that fields sort as they did before: this one is less than both, and all others stay where they were.
 */
const escape = 0x08;
const escapedMin = 1 - escape;

/** A field of a record between stages. */
export function encodeField(bytes: Buffer): Buffer {
  if (!isSpecial(bytes)) return bytes;
  const encoded: number[] = [];
  for (const byte of bytes) {
    if (byte < escape || byte > newline) encoded.push(byte);
    else encoded.push(escape, byte + escapedMin);
  }
  return Buffer.from(encoded);
}

/** What encodeField() was given. */
export function decodeField(bytes: Buffer): Buffer {
  if (!bytes.includes(escape)) return bytes;
  const decoded = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    decoded[length++] = byte === escape ? bytes[++i]! - escapedMin : byte;
  }
  return decoded.subarray(0, length);
}

function isSpecial(bytes: Buffer): boolean {
  return bytes.includes(tab) || bytes.includes(newline) || bytes.includes(escape);
}

const outBytes = 65_536;

/** Writes records: between stages so that any bytes come through, in the last one as they are. */
export class RecordWriter {
  private readonly write: (bytes: Buffer) => void;
  private readonly isLast: boolean;
  private readonly buffer = Buffer.allocUnsafe(outBytes);
  private used = 0;

  /** @param write is done with the bytes when it returns */
  constructor(write: (bytes: Buffer) => void, { isLast }: { isLast: boolean }) {
    this.write = write;
    this.isLast = isLast;
  }

  record(key: Field, value?: Field): void {
    this.field(key);
    if (value !== undefined) {
      this.byte(tab);
      this.field(value);
    }
    this.byte(newline);
  }

  flush(): void {
    if (this.used > 0) this.write(this.buffer.subarray(0, this.used));
    this.used = 0;
  }

  private field(field: Field): void {
    if (field instanceof Uint8Array) {
      const bytes = Buffer.from(field.buffer, field.byteOffset, field.byteLength);
      return this.bytes(this.isLast ? bytes : encodeField(bytes));
    }
    const text = typeof field === "string" ? field : String(field);
    const isPlain = this.isLast || !/[\b\t\n]/.test(text);
    if (!isPlain || text.length * 3 > outBytes)
      return this.bytes(isPlain ? Buffer.from(text) : encodeField(Buffer.from(text)));
    if (text.length * 3 > outBytes - this.used) this.flush();
    this.used += this.buffer.write(text, this.used);
  }

  private bytes(bytes: Buffer): void {
    if (bytes.length > outBytes - this.used) this.flush();
    if (bytes.length > outBytes) return this.write(bytes);
    this.used += bytes.copy(this.buffer, this.used);
  }

  private byte(byte: number): void {
    if (this.used === outBytes) this.flush();
    this.buffer[this.used++] = byte;
  }
}

/** All values of one key. */
export interface Group {
  readonly key: Buffer;
  /** One at a time, as they are asked for; to be read once, before the next group. */
  readonly values: Iterable<Buffer>;
}

/** Reads sorted records, as the writer of another stage wrote them. */
export class RecordReader {
  private readonly read: () => Buffer | undefined;
  private chunk: Buffer = Buffer.alloc(0);
  private at = 0;
  /** Of the record that comes next. */
  private key: Buffer = Buffer.alloc(0);
  private value: Buffer = Buffer.alloc(0);
  private isThere = false;

  /** @param read undefined at the end; a piece is not changed afterwards */
  constructor(read: () => Buffer | undefined) {
    this.read = read;
  }

  /** Groups of records of equal keys. What is not read of the values of one is passed over. */
  *groups(): Generator<Group, void, void> {
    this.advance();
    while (this.isThere) {
      const { key } = this;
      yield { key: decodeField(key), values: this.valuesOf(key) };
      while (this.isThere && this.key.equals(key)) this.advance();
    }
  }

  private *valuesOf(key: Buffer): Generator<Buffer, void, void> {
    while (this.isThere && this.key.equals(key)) {
      const value = decodeField(this.value);
      this.advance();
      yield value;
    }
  }

  private advance(): void {
    const line = this.line();
    this.isThere = line !== undefined;
    if (line === undefined) return;
    const end = line.indexOf(tab);
    this.key = end < 0 ? line : line.subarray(0, end);
    this.value = line.subarray(end < 0 ? line.length : end + 1);
  }

  private line(): Buffer | undefined {
    const pieces: Buffer[] = [];
    for (;;) {
      const end = this.chunk.indexOf(newline, this.at);
      const piece = this.chunk.subarray(this.at, end < 0 ? this.chunk.length : end);
      if (end >= 0) {
        this.at = end + 1;
        return pieces.length === 0 ? piece : Buffer.concat([...pieces, piece]);
      }
      if (piece.length > 0) pieces.push(piece);
      const next = this.read();
      this.chunk = next ?? Buffer.alloc(0);
      this.at = 0;
      if (next === undefined) return pieces.length === 0 ? undefined : Buffer.concat(pieces);
    }
  }
}
