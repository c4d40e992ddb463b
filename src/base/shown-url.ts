/**
 * A url as messages and logs show it: origin and path. What may be a secret, a user and a password or a
 * query, is left out; of a text with an `@` that cannot be read, everything but the scheme.
 */
export function shownUrl(text: string): string {
  const [plain = ""] = text.split(/[?#]/, 1);
  if (!plain.includes("@")) return plain;
  const url = URL.parse(plain);
  if (url === null || url.host === "") return `${/^[\w+.-]+:/.exec(plain)?.[0] ?? ""}…`;
  return `${url.protocol}//${url.host}${url.pathname}`;
}
