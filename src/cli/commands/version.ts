import type { Command } from "commander";
import type { Context } from "../context.ts";
import { formatTable } from "../table.ts";

export function version(command: Command, context: Context): void {
  command.action(async () => {
    const print = (daemon: string): void => {
      const rows = [
        ["COMPONENT", "VERSION"],
        ["pachctl", context.deps.version],
        ["pachd", daemon],
      ];
      context.print(formatTable(rows));
    };
    const client = await context.client();
    const daemon = await client.version().catch((error: unknown) => {
      print("(version unknown)");
      throw error;
    });
    print(daemon);
  });
}
