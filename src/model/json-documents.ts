/** Where and why text is not JSON. */
export interface JsonFault {
  /** Index into the text, from 0. */
  readonly at: number;
  readonly message: string;
}

const depthMax = 500;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const space = /[ \t\r\n]*/y;
const words = ["true", "false", "null"];

/**
 * Reads JSON values that stand one after another, with or without space between them.
 *
 * JSON.parse() alone would do neither: it takes one value, and does not always say where it failed.
 */
export function parseJsonDocuments(text: string): { values: unknown[] } | { fault: JsonFault } {
  const values: unknown[] = [];
  try {
    for (let start = skip(text, 0); start < text.length;) {
      const end = scanValue(text, start, 0);
      values.push(JSON.parse(text.slice(start, end)));
      start = skip(text, end);
    }
    return { values };
  } catch (error) {
    if (error instanceof Fault) return { fault: { at: error.at, message: error.message } };
    throw error;
  }
}

class Fault extends Error {
  readonly at: number;
  constructor(text: string, at: number, wanted: string) {
    const character = text.codePointAt(at);
    super(
      character === undefined
        ? `the text ends where ${wanted} should be`
        : `found ${JSON.stringify(String.fromCodePoint(character))} where ${wanted} should be`,
    );
    this.at = at;
  }
}

/** The index after the value that starts at `at`. */
function scanValue(text: string, at: number, depth: number): number {
  if (depth > depthMax) throw new Fault(text, at, `nesting of at most ${depthMax} levels`);
  const first = text[at];
  if (first === "{") return scanMembers(text, at, { close: "}", depth, key: true });
  if (first === "[") return scanMembers(text, at, { close: "]", depth, key: false });
  if (first === '"')
    return scanToken(text, at, string, "a string without a line break or a wrong escape");
  const word = words.find((one) => text.startsWith(one, at));
  return word === undefined ? scanToken(text, at, number, "a value") : at + word.length;
}

interface Members {
  readonly close: "}" | "]";
  readonly depth: number;
  /** Objects have a key before each value. */
  readonly key: boolean;
}

function scanMembers(text: string, open: number, { close, depth, key }: Members): number {
  let at = skip(text, open + 1);
  if (text[at] === close) return at + 1;
  for (;;) {
    if (key) {
      at = skip(text, scanToken(text, at, string, "a name in double quotes"));
      if (text[at] !== ":") throw new Fault(text, at, '":" after the name');
      at = skip(text, at + 1);
    }
    at = skip(text, scanValue(text, at, depth + 1));
    if (text[at] === close) return at + 1;
    if (text[at] !== ",") throw new Fault(text, at, `"," or "${close}"`);
    at = skip(text, at + 1);
  }
}

function scanToken(text: string, at: number, token: RegExp, wanted: string): number {
  token.lastIndex = at;
  if (!token.test(text)) throw new Fault(text, at, wanted);
  return token.lastIndex;
}

function skip(text: string, at: number): number {
  space.lastIndex = at;
  space.test(text);
  return space.lastIndex;
}
