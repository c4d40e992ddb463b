import type { Command } from "commander";
import type { Context } from "../context.ts";

export function getLogs(command: Command, context: Context): void {
  command
    .argument("<job-id>")
    .option("-f, --follow", "go on until the job ends")
    .action(async (id: string, { follow = false }: { follow?: boolean }) => {
      const logs = await (await context.client()).jobs.logs(id, { follow });
      for await (const part of logs) await context.write(part);
    });
}
