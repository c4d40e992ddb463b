/** Values that arrive one JSON text a line. */
export async function* jsonLines<T>(bytes: AsyncIterable<Buffer>): AsyncGenerator<T, void, void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const part of bytes) {
    text += decoder.decode(part, { stream: true });
    const lines = text.split("\n");
    text = lines.pop()!;
    for (const line of lines) yield JSON.parse(line) as T;
  }
}
