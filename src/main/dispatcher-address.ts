import { CodedError } from "../base/errors.ts";

/** Where a job server is, and under which function hints go there. */
export interface DispatcherAddress {
  readonly host: string;
  readonly port: number;
  readonly functionName: string;
}

const gearmanPort = 4730;

/**
 * Reads `gearman://HOST[:PORT][/FUNCTION]`; the port is 4730 and the function `mammoth` unless said. Undefined:
 * none was given.
 *
 * @throws CodedError `usage`
 */
export function parseDispatcherAddress(text: string | undefined): DispatcherAddress | undefined {
  if (text === undefined) return undefined;
  const form = /^gearman:\/\/(\[[\da-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?(?:\/([\w.-]{1,64}))?\/?$/i;
  const [, host, port = gearmanPort, functionName = "mammoth"] = form.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535 || Number(port) === 0)
    throw new CodedError(
      "usage",
      `Cannot use --dispatcher ${text}: give gearman://HOST, gearman://HOST:PORT or gearman://HOST:PORT/FUNCTION`,
    );
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port), functionName };
}
