/**
 * The text of a TypeScript file with the inside of comments, strings, templates and regular
 * expressions turned into spaces. Same length, same lines: an offset means the same place in both.
 * What stands in `${…}` is code and stays.
 */
export function codeOnly(text: string): string {
  const out: string[] = [];
  const open: Place[] = [];
  let at = 0;
  while (at < text.length) {
    const end = inTemplate(open)
      ? endOfTemplatePart(text, at, open)
      : endOfToken(text, at, open, out);
    const part = text.slice(at, end.at);
    out.push(end.isCode ? part : blanked(part));
    at = end.at;
  }
  return out.join("");
}

/** Where the scanner stands: in the text of a template, or in braces within code. */
type Place = "template" | "braces";

interface End {
  readonly at: number;
  readonly isCode: boolean;
}

function inTemplate(open: readonly Place[]): boolean {
  return open.at(-1) === "template";
}

/** Up to the end of the template, or to the code of the next `${`. */
function endOfTemplatePart(text: string, start: number, open: Place[]): End {
  for (let at = start; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "`") {
      open.pop();
      return { at: at + 1, isCode: false };
    } else if (text.startsWith("${", at)) {
      open.push("braces");
      return { at: at + 2, isCode: false };
    }
  }
  return { at: text.length, isCode: false };
}

function endOfToken(text: string, at: number, open: Place[], before: readonly string[]): End {
  const char = text[at];
  if (text.startsWith("//", at)) return { at: endOr(text, text.indexOf("\n", at)), isCode: false };
  if (text.startsWith("/*", at))
    return { at: endOr(text, text.indexOf("*/", at) + 2, 1), isCode: false };
  if (char === '"' || char === "'") return quoted(text, at, char);
  if (char === "/" && startsExpression(before)) return { at: endOfRegExp(text, at), isCode: false };
  if (char === "`") {
    open.push("template");
    return { at: at + 1, isCode: false };
  }
  if (char === "{") open.push("braces");
  if (char === "}") {
    open.pop();
    // The end of a `${…}` is as little code as its start.
    if (inTemplate(open)) return { at: at + 1, isCode: false };
  }
  const word = /^[\w$]+|^\s+/.exec(text.slice(at, at + 200))?.[0];
  return { at: at + (word ?? " ").length, isCode: true };
}

function endOr(text: string, at: number, least = 0): number {
  return at > least ? at : text.length;
}

/** The string alone is no code, yet its quotes are kept out of what follows. */
function quoted(text: string, start: number, quote: string): End {
  let at = start + 1;
  while (at < text.length && text[at] !== quote && text[at] !== "\n")
    at += text[at] === "\\" ? 2 : 1;
  return { at: at + 1, isCode: false };
}

const operatorEnds = /[(,=:[!&|?{};+\-*%<>~^]$/;
const wordBeforeExpression = /\b(?:return|typeof|case|in|of|await|yield|throw|new|delete|void)$/;

/** True where a `/` begins a regular expression, not a division. */
function startsExpression(before: readonly string[]): boolean {
  const last = before.slice(-8).join("").trimEnd();
  return last === "" || operatorEnds.test(last) || wordBeforeExpression.test(last);
}

function endOfRegExp(text: string, start: number): number {
  let inClass = false;
  for (let at = start + 1; at < text.length && text[at] !== "\n"; at++) {
    const char = text[at];
    if (char === "\\") at++;
    else if (char === "[") inClass = true;
    else if (char === "]") inClass = false;
    else if (char === "/" && !inClass) return at + 1;
  }
  return start + 1;
}

/** Quotes at both ends stay, so that a scanner still sees that a string stood there. */
function blanked(part: string): string {
  const spaces = part.replace(/[^\n]/g, " ");
  const quote = part[0];
  if (quote !== '"' && quote !== "'") return spaces;
  return part.length < 2 ? part : quote + spaces.slice(1, -1) + quote;
}
