import { throwIfCancelled } from "../../base/cancelled.ts";
import { CodedError } from "../../base/errors.ts";

/**
 * Opens an http or https url for reading. An answer other than 2xx is an error, never content.
 *
 * @throws CodedError `invalid_argument` for another scheme or a bad url; `unavailable` when it cannot be fetched
 */
export async function fetchUrl(
  url: string,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const parsed = URL.parse(url);
  if (parsed === null || !["http:", "https:"].includes(parsed.protocol)) {
    throw new CodedError(
      "invalid_argument",
      `Cannot fetch ${url}: only http and https urls can be fetched`,
    );
  }
  const response = await fetch(parsed, { redirect: "follow", signal }).catch((error: unknown) => {
    const reason =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new CodedError(
      "unavailable",
      `Cannot fetch ${url}: ${reason}. Check that the daemon can reach it`,
    );
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw new CodedError(
      "failed_precondition",
      `Cannot fetch ${url}: the server answered ${response.status} ${response.statusText}`,
    );
  }
  return bodyOf(response, url, signal);
}

/** A body that breaks off must not be taken for the whole. */
async function* bodyOf(
  { body }: Response,
  url: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  if (body === null) return;
  let bytes = 0;
  try {
    for await (const part of body) {
      bytes += part.length;
      yield part;
    }
  } catch (error) {
    throwIfCancelled(signal);
    throw new CodedError(
      "unavailable",
      `Cannot fetch ${url}: the answer broke off after ${bytes} bytes. Put it again`,
      { cause: error },
    );
  }
}
