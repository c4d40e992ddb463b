import { encodeTarHeaders, tarBlockBytes, tarPaddingOf } from "../model/tar-headers.ts";

/** Files that are in memory as one tar: in one go, where packTar() waits for each. */
export function tarOf(
  files: readonly { readonly path: string; readonly content: Uint8Array }[],
): Buffer {
  const parts: Uint8Array[] = [];
  for (const { path: name, content } of files) {
    const bytes = content.length;
    parts.push(encodeTarHeaders({ name, type: "file", bytes, modifiedSeconds: 0 }), content);
    parts.push(zeros.subarray(0, tarPaddingOf(bytes)));
  }
  // Two empty blocks are its end.
  parts.push(zeros, zeros);
  return Buffer.concat(parts);
}

const zeros = Buffer.alloc(tarBlockBytes);
