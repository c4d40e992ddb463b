import { text as textOf } from "node:stream/consumers";
import { takeBasicAuth } from "../base/basic-auth.ts";
import { CodedError } from "../base/errors.ts";
import { explainLocal } from "../base/local-error.ts";
import { shownUrl } from "../base/shown-url.ts";
import type { Context } from "./context.ts";

/** True for what is fetched rather than opened. */
export function isUrl(source: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(source);
}

/**
 * A small text (a spec, a list) from a local file, an http URL, or with `-` from standard input.
 *
 * @throws CodedError `not_found`, `permission_denied`, `unavailable`
 */
export async function readText(source: string, context: Context): Promise<string> {
  if (source === "-") return textOf(context.stdin());
  if (isUrl(source)) return fetchText(source, context);
  try {
    return await context.deps.fileSystem.readFile(source, "utf8");
  } catch (error) {
    throw explainLocal(error, source);
  }
}

async function fetchText(url: string, { deps, signal }: Context): Promise<string> {
  let answer: Response;
  try {
    const address = new URL(url);
    const headers = takeBasicAuth(address);
    answer = await deps.fetch(address.href, { signal, headers });
  } catch (error) {
    signal.throwIfAborted();
    const why =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new CodedError(
      "unavailable",
      `Cannot fetch ${shownUrl(url)}: ${why}. Check the URL and the network`,
      { cause: error },
    );
  }
  if (answer.ok) return answer.text();
  throw new CodedError(
    "unavailable",
    `Cannot fetch ${shownUrl(url)}: it answered ${answer.status} ${answer.statusText}. Check the URL`,
  );
}
