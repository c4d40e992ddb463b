import { KiB } from "../base/size.ts";
import type { Counters } from "../model/stage-work.ts";

/** A longer line is no report. */
const lineBytesMax = 4 * KiB;
/** Different counters of one attempt; others are not kept. */
const countersMax = 1_000;
const nameCharsMax = 200;

const newline = 0x0a;
const prefix = Buffer.from("reporter:counter:");

/** What the commands of one attempt have reported together. */
export class Reports {
  readonly counters: Counters = {};
  private count = 0;

  /** Adds to a counter; a name that is one too many is not kept. */
  add(group: string, name: string, amount: number): void {
    const known = Object.hasOwn(this.counters, group) ? this.counters[group]! : {};
    const before = Object.hasOwn(known, name) ? known[name]! : undefined;
    if (before === undefined && ++this.count > countersMax) return;
    define(known, name, (before ?? 0) + amount);
    define(this.counters, group, known);
  }
}

/**
 * Takes the lines in which a command counts out of its stderr, as with Hadoop Streaming:
 * `reporter:counter:GROUP,NAME,AMOUNT`. All else is passed on as it is.
 */
export class ReporterLines {
  private readonly reports: Reports;
  private readonly pass: (piece: Uint8Array) => Promise<void>;
  /** The begin of a line that may yet be a report. */
  private held: Buffer = Buffer.alloc(0);
  private isAtLineStart = true;

  constructor(reports: Reports, pass: (piece: Uint8Array) => Promise<void>) {
    this.reports = reports;
    this.pass = pass;
  }

  /** Takes a piece of stderr. */
  async write(piece: Uint8Array): Promise<void> {
    const bytes = Buffer.concat([this.held, piece]);
    this.held = Buffer.alloc(0);
    let passedTo = 0;
    for (let at = 0; at < bytes.length;) {
      const end = bytes.indexOf(newline, at);
      const lineEnd = end < 0 ? bytes.length : end + 1;
      if (this.isAtLineStart && mayReport(bytes.subarray(at, lineEnd))) {
        const line = bytes.subarray(at, lineEnd);
        if (end < 0 && line.length < lineBytesMax) {
          await this.passOn(bytes.subarray(passedTo, at));
          this.held = Buffer.from(line);
          return;
        }
        if (end >= 0 && this.take(line.toString("utf8").trimEnd())) {
          await this.passOn(bytes.subarray(passedTo, at));
          passedTo = lineEnd;
        }
      }
      this.isAtLineStart = end >= 0;
      at = lineEnd;
    }
    await this.passOn(bytes.subarray(passedTo));
  }

  /** A last line without an end is one too. */
  async end(): Promise<void> {
    const { held } = this;
    this.held = Buffer.alloc(0);
    if (held.length > 0 && !this.take(held.toString("utf8"))) await this.passOn(held);
    this.isAtLineStart = true;
  }

  private async passOn(bytes: Uint8Array): Promise<void> {
    if (bytes.length > 0) await this.pass(bytes);
  }

  /** Whether the line was a report. */
  private take(line: string): boolean {
    const [, group, name, amount] =
      /^reporter:counter:([^,]+),([^,]+),(-?\d{1,15})$/.exec(line) ?? [];
    if (group === undefined || name === undefined) return false;
    this.reports.add(group.slice(0, nameCharsMax), name.slice(0, nameCharsMax), Number(amount));
    return true;
  }
}

/** Whatever the name is. */
function define<T>(object: Record<string, T>, name: string, value: T): void {
  Object.defineProperty(object, name, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
}

/** Whether a line, or what there is of it, begins as a report does. */
function mayReport(line: Buffer): boolean {
  const bytes = Math.min(line.length, prefix.length);
  return line.subarray(0, bytes).equals(prefix.subarray(0, bytes));
}
