/** Where a scanner stands. Plain data: it crosses threads. */
export interface JsonState {
  /** One of `mode`. */
  mode: number;
  /** Open brackets. */
  depth: number;
  /** How far a top-level number or word has come: a key of `wordAfter` or one of `number`. */
  token: number;
}

const mode = { between: 0, inside: 1, string: 2, escape: 3, scalar: 4, broken: 5 } as const;

const number = {
  minus: 1,
  zero: 2,
  digits: 3,
  point: 4,
  fraction: 5,
  e: 6,
  sign: 7,
  exponent: 8,
} as const;
const completeNumbers = new Set<number>([
  number.zero,
  number.digits,
  number.fraction,
  number.exponent,
]);

/** Words as chains: after token t, byte b leads to token u. A token not in this map is a whole word. */
const wordAfter = new Map<number, { byte: number; token: number }>();
const wordStarts = new Map<number, number>();
for (const [index, word] of ["true", "false", "null"].entries()) {
  const first = 10 * (index + 1);
  wordStarts.set(word.charCodeAt(0), first);
  for (let at = 1; at < word.length; at++) {
    wordAfter.set(first + at - 1, { byte: word.charCodeAt(at), token: first + at });
  }
}

const quote = 0x22;
const backslash = 0x5c;
const isSpace = bytesOf(" \t\n\r");
const isEscapable = bytesOf('"\\/bfnrtu');

/** What a byte outside strings and inside brackets is; 0 for white space, commas, colons, numbers and words. */
const opens = 1;
const closes = 2;
const quotes = 3;
const foreign = 4;
const insideClasses = new Uint8Array(256).fill(foreign);
for (const byte of Buffer.from(" \t\n\r,:0123456789+-.eEtrufalsn")) insideClasses[byte] = 0;
for (const byte of Buffer.from("{[")) insideClasses[byte] = opens;
for (const byte of Buffer.from("}]")) insideClasses[byte] = closes;
insideClasses[quote] = quotes;

/** 1 for the bytes that end a run of ordinary characters in a string: quote, backslash, control. */
const stringStops = new Uint8Array(256);
stringStops.fill(1, 0, 0x20);
stringStops[quote] = 1;
stringStops[backslash] = 1;

export function initialJsonState(): JsonState {
  return { mode: mode.between, depth: 0, token: 0 };
}

/**
 * Finds where top-level JSON values end. Looks at bytes, not at the whole grammar: what it checks is in
 * docs/formats/chunks.md. From the first byte that cannot be JSON it finds no more ends.
 */
export class JsonScanner {
  readonly state: JsonState;

  constructor(state: JsonState = initialJsonState()) {
    this.state = state;
  }

  /** As `RecordScanner.next`. */
  next(bytes: Uint8Array, from: number, to: number, want: number): number {
    const state = this.state;
    let at = from;
    while (at < to) {
      const before = state.mode;
      at = step(state, bytes, at, to);
      const ends = before !== mode.between && state.mode === mode.between;
      if (ends && at >= want) return at;
      if (before === mode.broken) return -1;
    }
    return -1;
  }
}

/** Reads on in the state's mode, at least until it changes or `to` is reached; gives back where it stands. */
function step(state: JsonState, bytes: Uint8Array, at: number, to: number): number {
  switch (state.mode) {
    case mode.between:
      return startValue(state, bytes, at, to);
    case mode.inside:
      return skipInside(state, bytes, at, to);
    case mode.string:
      return skipString(state, bytes, at, to);
    case mode.escape:
      state.mode = isEscapable[bytes[at]!] === 1 ? mode.string : mode.broken;
      return at + 1;
    case mode.scalar:
      return skipScalar(state, bytes, at, to);
    default:
      return to;
  }
}

/**
 * Where the top-level values of a text end, as byte offsets; the last is the end of the text when
 * anything but white space is left there. Cut at them, the text falls into one piece per JSON
 * document; what comes after a byte that cannot be JSON is one piece.
 */
export function jsonValueEnds(text: Uint8Array): number[] {
  const scanner = new JsonScanner();
  const ends: number[] = [];
  let at = 0;
  for (;;) {
    const end = scanner.next(text, at, text.length, at + 1);
    if (end < 0) break;
    ends.push(end);
    at = end;
  }
  for (let rest = at; rest < text.length; rest++) {
    if (isSpace[text[rest]!] === 0) return [...ends, text.length];
  }
  return ends;
}

/** Skips white space, then reads the first byte of a value. */
function startValue(state: JsonState, bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && isSpace[bytes[at]!] === 1) at++;
  if (at === to) return to;
  const byte = bytes[at]!;
  const token = tokenFrom(byte);
  if (token > 0) {
    state.mode = mode.scalar;
    state.token = token;
  } else if (byte === quote) state.mode = mode.string;
  else if (insideClasses[byte] === opens) {
    state.mode = mode.inside;
    state.depth = 1;
  } else state.mode = mode.broken;
  return at + 1;
}

/**
 * Reads between brackets up to the last closing one, a string with an escape, or `to`. The hot loop:
 * strings without escapes are passed in place.
 */
function skipInside(state: JsonState, bytes: Uint8Array, from: number, to: number): number {
  const classes = insideClasses;
  const stops = stringStops;
  let depth = state.depth;
  let at = from;
  while (at < to) {
    const kind = classes[bytes[at++]!]!;
    if (kind === 0) continue;
    if (kind === quotes) {
      const start = at;
      while (at < to && stops[bytes[at]!] === 0) at++;
      if (at < to && bytes[at] === quote) {
        at++;
        continue;
      }
      at = start;
      state.mode = mode.string;
      break;
    }
    if (kind === foreign) {
      state.mode = mode.broken;
      break;
    }
    depth += kind === opens ? 1 : -1;
    if (depth === 0) {
      state.mode = mode.between;
      break;
    }
  }
  state.depth = depth;
  return at;
}

/** Reads a string up to its closing quote, a backslash, or `to`. */
function skipString(state: JsonState, bytes: Uint8Array, from: number, to: number): number {
  const stops = stringStops;
  let at = from;
  while (at < to && stops[bytes[at]!] === 0) at++;
  if (at === to) return to;
  const byte = bytes[at]!;
  if (byte === quote) state.mode = state.depth === 0 ? mode.between : mode.inside;
  else state.mode = byte === backslash ? mode.escape : mode.broken;
  return at + 1;
}

/** Reads a top-level number or word up to the byte after it, which stays unread. */
function skipScalar(state: JsonState, bytes: Uint8Array, from: number, to: number): number {
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    const token = tokenAfter(state.token, byte);
    if (token > 0) {
      state.token = token;
      continue;
    }
    state.mode =
      isComplete(state.token) && mayFollow(state.token, byte) ? mode.between : mode.broken;
    return at;
  }
  return to;
}

function isComplete(token: number): boolean {
  return token < 10 ? completeNumbers.has(token) : !wordAfter.has(token);
}

/** A number cannot be followed by another one without something between: `01` and `1-2` are not JSON. */
function mayFollow(token: number, byte: number): boolean {
  if (isSpace[byte] === 1 || byte === quote || insideClasses[byte] === opens) return true;
  const next = tokenFrom(byte);
  return next >= 10 || (next > 0 && token >= 10);
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** The token that a byte begins, 0 when none. */
function tokenFrom(byte: number): number {
  if (byte === 0x30) return number.zero;
  if (isDigit(byte)) return number.digits;
  return byte === 0x2d ? number.minus : (wordStarts.get(byte) ?? 0);
}

/** The token after one more byte, 0 when the byte does not belong to it. */
function tokenAfter(token: number, byte: number): number {
  if (token >= 10) {
    const next = wordAfter.get(token);
    return next?.byte === byte ? next.token : 0;
  }
  if (isDigit(byte)) return digitAfter(token, byte);
  const hasFraction = token === number.fraction;
  const isInteger = token === number.zero || token === number.digits;
  if (byte === 0x2e) return isInteger ? number.point : 0;
  if (byte === 0x65 || byte === 0x45) return isInteger || hasFraction ? number.e : 0;
  return (byte === 0x2b || byte === 0x2d) && token === number.e ? number.sign : 0;
}

function digitAfter(token: number, byte: number): number {
  switch (token) {
    case number.minus:
      return byte === 0x30 ? number.zero : number.digits;
    case number.zero:
      return 0;
    case number.digits:
      return number.digits;
    case number.point:
    case number.fraction:
      return number.fraction;
    default:
      return number.exponent;
  }
}

function bytesOf(characters: string): Uint8Array {
  const set = new Uint8Array(256);
  for (const byte of Buffer.from(characters)) set[byte] = 1;
  return set;
}
