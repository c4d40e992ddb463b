/**
 * A url as messages and logs show it: origin and path. What may be a secret, a user and a password or a
 * query, is left out; of a text with an `@` that cannot be read, or read in two ways, everything but the scheme.
 */
export function shownUrl(text: string): string {
  const [plain = ""] = text.split(/[?#]/, 1);
  if (!plain.includes("@")) return plain;
  const url = URL.parse(plain);
  if (url === null || url.host === "" || isAmbiguous(plain))
    return `${/^[\w+.-]+:/.exec(plain)?.[0] ?? ""}…`;
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** What is taken for the path may be the rest of a password with a slash in it. */
function isAmbiguous(plain: string): boolean {
  const [, authority = "", path = ""] = /^[^/]*\/\/([^/]*)(.*)$/.exec(plain) ?? [];
  return path.includes("@") && /[:@]/.test(authority);
}
