import { parseDocuments } from "../model/documents.ts";
import type { Context } from "./context.ts";
import { readText } from "./read-text.ts";

/** The documents of a file, URL or standard input (`-`, which is said, as the original does). */
export async function readSpecs(file: string, context: Context): Promise<unknown[]> {
  if (file === "-") context.print("Reading from stdin.\n");
  return await parseDocuments(
    await readText(file, context),
    file === "-" ? "standard input" : file,
  );
}
