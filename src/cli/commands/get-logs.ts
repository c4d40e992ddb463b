import type { Command } from "commander";
import type { LogOptions } from "../../client/index.ts";
import type { Context } from "../context.ts";
import { wholeNumber } from "../options.ts";

export function getLogs(command: Command, context: Context): void {
  command
    .argument("<job-id>")
    .option("-f, --follow", "go on until the job ends")
    .option("-t, --task <n>", "only what this task printed", wholeNumber)
    .option("--attempt <n>", "only what this try of each task printed, from 1", wholeNumber)
    .option("--since <time>", "only what came since: 30s, 10m, 2h, 1d ago, or 2026-01-31T15:04:05Z")
    .option("--raw", "print JSON: job, task, attempt, time and text of each line")
    .action(async (id: string, options: LogOptions) => {
      const logs = await (await context.client()).jobs.logs(id, options);
      for await (const part of logs) await context.write(part);
    });
}
