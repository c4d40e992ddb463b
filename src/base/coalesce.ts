/** The same bytes in slices of at least `bytesMin`, but for the last: what comes in crumbs costs by the crumb. */
export async function* coalesce(
  source: AsyncIterable<Uint8Array>,
  bytesMin: number,
): AsyncGenerator<Uint8Array, void, void> {
  let crumbs: Uint8Array[] = [];
  let bytes = 0;
  for await (const slice of source) {
    if (bytes === 0 && slice.length >= bytesMin) {
      yield slice;
      continue;
    }
    crumbs.push(slice);
    bytes += slice.length;
    if (bytes < bytesMin) continue;
    yield Buffer.concat(crumbs, bytes);
    crumbs = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(crumbs, bytes);
}
