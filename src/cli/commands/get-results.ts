import type { Command } from "commander";
import type { Context } from "../context.ts";
import { wholeNumber } from "../options.ts";

export function getResults(command: Command, context: Context): void {
  command
    .argument("<mapreduce-name>")
    .argument("[partition]", "from 0; all of them, one after the other", wholeNumber)
    .action(async (name: string, partition: number | undefined) => {
      const { mapReduceJobs } = await context.client();
      const which = partition === undefined ? {} : { partition };
      for await (const part of await mapReduceJobs.results(name, which)) await context.write(part);
    });
}
