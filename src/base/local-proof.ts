import { createHmac } from "node:crypto";

/** The header that carries a proof. */
export const localProofHeader = "mammoth-local-proof";

/** What the file of a secret may hold: nothing else is ever sent anywhere. */
export const localSecretPattern = /^[0-9a-f]{64}$/;

/**
 * Proves to the daemon at an end of a connection that the client can read the daemon's secret. It is worth
 * nothing at another end: who pretends to be the daemon, on another port, cannot use it at the daemon's.
 *
 * @param end the daemon's, as both see it
 */
export function localProof(
  secret: string,
  end: { readonly address: string | undefined; readonly port: number | undefined },
): string {
  const address = (end.address ?? "").replace(/^::ffff:/, "");
  return createHmac("sha256", secret).update(`${address} ${end.port}`).digest("hex");
}
