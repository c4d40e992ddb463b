import { z } from "zod";

/** How often a task is tried again, and how long things may take. Times are milliseconds; 0: as long as it takes. */
export interface Limits {
  /** Attempts besides the first. */
  readonly retries: number;
  /** An attempt whose command runs for longer has failed. */
  readonly taskTimeoutMs: number;
  /** A job that has not ended this long after its tasks were there is ended, as failed. */
  readonly jobTimeoutMs: number;
}

/** What holds where a spec says nothing. */
export const defaultLimits: Limits = { retries: 2, taskTimeoutMs: 0, jobTimeoutMs: 0 };

/** Each try costs a start of the command: more would only hide what is wrong. */
export const retriesMax = 10;

const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `30s`, `10m`, `2h`, `1d`, or a number of seconds; 0 is no limit. */
const duration = z.union([
  z
    .number()
    .nonnegative()
    .max(10_000_000)
    .transform((seconds) => Math.round(seconds * 1_000)),
  z
    .string()
    .regex(
      /^(0|\d{1,6}[smhd])$/,
      "expected a duration such as 30s, 10m or 2h, or a number of seconds",
    )
    .transform((text) => Number.parseInt(text, 10) * (unitMs[text.at(-1) ?? ""] ?? 0)),
]);

/** The fields of a spec that limits come from. */
export const limitFields = {
  retries: z
    .number()
    .int()
    .nonnegative()
    .max(retriesMax, `expected at most ${retriesMax}`)
    .optional(),
  taskTimeout: duration.optional(),
  jobTimeout: duration.optional(),
};

/** What a spec says of its limits; what it does not say is left out. */
export function givenLimits(spec: {
  readonly retries?: number | undefined;
  readonly taskTimeout?: number | undefined;
  readonly jobTimeout?: number | undefined;
}): Partial<Limits> {
  const { retries, taskTimeout, jobTimeout } = spec;
  return {
    ...(retries === undefined ? {} : { retries }),
    ...(taskTimeout === undefined ? {} : { taskTimeoutMs: taskTimeout }),
    ...(jobTimeout === undefined ? {} : { jobTimeoutMs: jobTimeout }),
  };
}
