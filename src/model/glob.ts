import { CodedError } from "../base/errors.ts";

/** Longest name pattern, in characters: what a match costs grows with it. */
const patternMax = 255;

/** Whether a path, or a part of one, may name several files: it holds `*`, `?` or `[`. */
export function isPattern(path: string): boolean {
  return /[*?[]/.test(path);
}

/**
 * Reads the pattern of one name as a shell does: `*` is any characters, `?` one, `[a-z]` one of these, `[^a-z]` or
 * `[!a-z]` one that is none of these. A `[` that nothing closes is itself. A test takes time in proportion to the
 * lengths of name and pattern multiplied, at worst.
 *
 * @throws CodedError `invalid_argument` for one of more than 255 characters
 */
export function namePattern(pattern: string): (name: string) => boolean {
  if (pattern.length > patternMax)
    throw new CodedError(
      "invalid_argument",
      `Cannot use a pattern of ${pattern.length} characters for one name: at most ${patternMax} are allowed. Shorten it, for example with "*"`,
    );
  const tokens = tokensOf(Array.from(pattern));
  return (name) => matches(tokens, Array.from(name));
}

/** One character that is this or passes this; `any`: as many as it takes. */
type Token = string | ((character: string) => boolean) | typeof any;
const any = Symbol("any");

function tokensOf(characters: readonly string[]): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    const end = character === "[" ? endOfSet(characters, at) : undefined;
    if (end !== undefined) {
      tokens.push(setOf(characters.slice(at + 1, end)));
      at = end;
    } else if (character !== "*") {
      tokens.push(character === "?" ? () => true : character);
    } else if (tokens.at(-1) !== any) tokens.push(any);
  }
  return tokens;
}

/** Where the set that begins at `[` is closed; a `]` that comes first is one of the set. */
function endOfSet(characters: readonly string[], begin: number): number | undefined {
  const first = isNegation(characters[begin + 1]) ? begin + 2 : begin + 1;
  const end = characters.indexOf("]", first + 1);
  return end < 0 ? undefined : end;
}

function isNegation(character: string | undefined): boolean {
  return character === "^" || character === "!";
}

function setOf(inside: readonly string[]): (character: string) => boolean {
  const isNegated = isNegation(inside[0]);
  const members = isNegated ? inside.slice(1) : inside;
  const ranges: [first: number, last: number][] = [];
  for (let at = 0; at < members.length; at++) {
    const first = members[at]!;
    const isRange = members[at + 1] === "-" && at + 2 < members.length;
    const last = isRange ? members[at + 2]! : first;
    if (isRange) at += 2;
    ranges.push([first.codePointAt(0)!, last.codePointAt(0)!]);
  }
  return (character) => {
    const code = character.codePointAt(0)!;
    return ranges.some(([first, last]) => first <= code && code <= last) !== isNegated;
  };
}

/** Where a match fails, only what the last `any` took can be too little. */
function matches(tokens: readonly Token[], name: readonly string[]): boolean {
  let token = 0;
  let at = 0;
  let afterAny = -1;
  let taken = 0;
  while (at < name.length) {
    const test = tokens[token];
    if (test === any) {
      afterAny = ++token;
      taken = at;
    } else if (typeof test === "function" ? test(name[at]!) : test === name[at]) {
      token++;
      at++;
    } else if (afterAny >= 0) {
      token = afterAny;
      at = ++taken;
    } else return false;
  }
  return tokens.slice(token).every((rest) => rest === any);
}
