import { CodedError } from "../base/errors.ts";

const unitMicros: Readonly<Record<string, number>> = {
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
};
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/;

/**
 * Reads a point in time: so long ago (`30s`, `10m`, `2h`, `1d`), or RFC 3339 (`2026-01-31T15:04:05Z`).
 * Microseconds since 1970.
 *
 * @throws CodedError `invalid_argument` for anything else
 */
export function parseSince(text: string, nowMicros: number): number {
  const [, length = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const perUnit = unitMicros[unit];
  if (perUnit !== undefined) return Math.max(0, nowMicros - Number(length) * perUnit);
  const ms = rfc3339.test(text) ? Date.parse(text) : Number.NaN;
  if (ms >= 0) return ms * 1_000;
  throw new CodedError(
    "invalid_argument",
    `Cannot use the time ${JSON.stringify(text)}: say how long ago, such as 30s, 10m, 2h or 1d, or when, such as 2026-01-31T15:04:05Z`,
  );
}
