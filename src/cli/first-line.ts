import { createInterface } from "node:readline";
import type { Context } from "./context.ts";

/** What the user answers: the first line of standard input. */
export async function firstLine(context: Context): Promise<string> {
  for await (const line of createInterface({ input: context.stdin() })) return line;
  return "";
}
