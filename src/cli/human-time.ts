const steps: readonly { belowHours: number; hours: number; unit: string }[] = [
  { belowHours: 48, hours: 1, unit: "hours" },
  { belowHours: 24 * 14, hours: 24, unit: "days" },
  { belowHours: 24 * 90, hours: 24 * 7, unit: "weeks" },
  { belowHours: 24 * 365 * 2, hours: 24 * 30, unit: "months" },
  { belowHours: Infinity, hours: 24 * 365, unit: "years" },
];

/** A length of time as docker's go-units says it: `Less than a second`, `2 minutes`, `About an hour`. */
export function humanDuration(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.floor(minutes / 60);
  if (hours === 1) return "About an hour";
  const step = steps.find(({ belowHours }) => hours < belowHours);
  return `${Math.floor(hours / (step?.hours ?? 1))} ${step?.unit ?? "hours"}`;
}

/** `12 minutes ago`. */
export function ago(micros: number, nowMicros: number): string {
  return `${humanDuration(nowMicros - micros)} ago`;
}
