import { takeBasicAuth } from "./basic-auth.ts";
import { throwIfCancelled } from "./cancelled.ts";
import { CodedError } from "./errors.ts";
import { shownUrl } from "./shown-url.ts";

/**
 * Opens an http or https url for reading. An answer other than 2xx is an error, never content. A user and
 * a password in it go to that server alone, as basic authentication; messages show neither them nor the query.
 *
 * @throws CodedError `invalid_argument` for another scheme or a bad url; `unavailable` when it cannot be fetched
 */
export async function fetchUrl(
  url: string,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const parsed = URL.parse(url);
  const shown = shownUrl(url);
  if (parsed === null || !["http:", "https:"].includes(parsed.protocol)) {
    throw new CodedError(
      "invalid_argument",
      `Cannot fetch ${shown}: only http, https and s3 urls can be fetched`,
    );
  }
  const headers = takeBasicAuth(parsed);
  const response = await fetch(parsed, { redirect: "follow", headers, signal }).catch(
    (error: unknown) => {
      const reason =
        error instanceof Error && error.cause instanceof Error
          ? error.cause.message
          : String(error);
      throw new CodedError(
        "unavailable",
        `Cannot fetch ${shown}: ${reason}. Check that the daemon can reach it`,
      );
    },
  );
  if (!response.ok) {
    await response.body?.cancel();
    throw new CodedError(
      "failed_precondition",
      `Cannot fetch ${shown}: the server answered ${response.status} ${response.statusText}`,
    );
  }
  return bodyOf(response, shown, signal);
}

/** A body that breaks off must not be taken for the whole. */
async function* bodyOf(
  { body }: Response,
  shown: string,
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
      `Cannot fetch ${shown}: the answer broke off after ${bytes} bytes. Put it again`,
      { cause: error },
    );
  }
}
