import type { JobInfo } from "../model/job.ts";

/** A job with how fast it goes on, and how long the rest takes then. */
export function withRate(info: JobInfo, nowMicros: number): JobInfo {
  const { tasks, tasksDone, tasksFailed, tasksSkipped, tasksMicros } = info.progress;
  const ended = tasksDone + tasksFailed;
  const left = tasks - tasksSkipped - ended;
  const isGoing = info.finishedMicros === undefined && ended > 0 && left > 0;
  if (!isGoing || tasksMicros === undefined || nowMicros <= tasksMicros) return info;
  const tasksPerSecond = ended / ((nowMicros - tasksMicros) / 1_000_000);
  const leftMs = Math.round((left / tasksPerSecond) * 1_000);
  return { ...info, progress: { ...info.progress, tasksPerSecond, leftMs } };
}

/** All of a job that changes when something happens to it, and not by itself. */
export function standOf(info: JobInfo): string {
  const { tasksPerSecond: _rate, leftMs: _left, ...progress } = info.progress;
  return JSON.stringify({ ...info, progress });
}
