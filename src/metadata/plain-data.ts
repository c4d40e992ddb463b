/**
 * The same plain data, cheap to clone: cloning a view clones the whole memory it looks at, so a view
 * of less than half of it is copied out. Buffers come back as Uint8Array, see `reviveBuffers`.
 *
 * @throws DataCloneError for what is not data, such as a function
 */
export function compact(value: unknown): unknown {
  if (typeof value !== "object" || value === null) {
    return typeof value === "function" || typeof value === "symbol"
      ? structuredClone(value)
      : value;
  }
  if (value instanceof Uint8Array) {
    return value.byteLength * 2 < value.buffer.byteLength ? new Uint8Array(value) : value;
  }
  if (Array.isArray(value)) return value.map(compact);
  if (value instanceof Map)
    return new Map([...value].map(([key, one]) => [compact(key), compact(one)]));
  if (isRecord(value)) {
    // Not by assignment: a field may be called __proto__.
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, compact(one)]));
  }
  return structuredClone(value);
}

/** What the bytes and texts in plain data take, roughly; the rest of it is small. */
export function bytesOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  if (value instanceof Uint8Array) return value.byteLength;
  let bytes = 0;
  if (value instanceof Map) for (const [key, one] of value) bytes += bytesOf(key) + bytesOf(one);
  else for (const one of Object.values(value)) bytes += bytesOf(one);
  return bytes;
}

/** Makes every Uint8Array in data that just came out of a clone a Buffer again, in place. */
export function reviveBuffers(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return asBuffer(value);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = reviveBuffers(value[i]);
  } else if (value instanceof Map) {
    for (const [key, one] of value) value.set(key, reviveBuffers(one));
  } else if (isRecord(value)) {
    for (const key of Object.keys(value)) value[key] = reviveBuffers(value[key]);
  }
  return value;
}

/** The same bytes as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isRecord(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
