/** Takes the user and the password out of a url, which fetch() refuses, and gives them back as headers. */
export function takeBasicAuth(url: URL): { authorization?: string } {
  const { username, password } = url;
  if (username === "" && password === "") return {};
  [url.username, url.password] = ["", ""];
  const pair = `${unescaped(username)}:${unescaped(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
