import { Command } from "commander";
import { CodedError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { Context, type CliDeps } from "./context.ts";
import { registry } from "./registry.ts";

const description = `Access the Mammoth API.

Environment variables:
  ADDRESS=<host>:<port>, the pachd server to connect to (default 127.0.0.1:30650).`;

export interface Program {
  readonly command: Command;
  readonly context: Context;
}

/**
 * The whole command line as commander sees it. Of all commands only the one that \`argv\` names has
 * arguments and an action; the others are there for the help.
 *
 * @throws CodedError `usage` for a command that does not exist
 */
export async function createProgram(argv: readonly string[], deps: CliDeps): Promise<Program> {
  const context = new Context(deps);
  const program = new Command("pachctl")
    .description(description)
    .option("-v, --verbose", "tell of every call on standard error")
    .option("--no-metrics", "accepted for old scripts; no metrics are reported")
    .helpCommand("help [command]", "Show help for a command.")
    .configureHelp({ showGlobalOptions: true, helpWidth: 100 })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.print(text),
      // Errors are thrown, and printed once, by runCli().
      writeErr: () => undefined,
      outputError: () => undefined,
    })
    .hook("preAction", (command) => {
      context.verbose = command.opts<{ verbose?: boolean }>().verbose === true;
    });
  for (const [name, { summary, hidden = false }] of Object.entries(registry))
    program.command(name, { hidden }).description(summary);
  const name = commandName(argv);
  if (name !== undefined) await define(program, name, context);
  else
    program.action(async () => {
      await (await import("./status.ts")).showStatus(context);
    });
  return { command: program, context };
}

async function define(program: Command, name: string, context: Context): Promise<void> {
  const entry = Object.hasOwn(registry, name) ? registry[name] : undefined;
  const command = program.commands.find((one) => one.name() === name);
  if (entry === undefined || command === undefined) {
    const shown = Object.keys(registry).filter((known) => registry[known]?.hidden !== true);
    const near = nearest(name, shown);
    const hint = near === undefined ? "" : `. Did you mean "${near}"?`;
    throw new CodedError(
      "usage",
      `Unknown command "${name}"${hint}\nRun "pachctl help" for the list of commands`,
    );
  }
  (await entry.load())(command, context);
}

/** The first word that is no option; of \`help X\`, X. */
function commandName(argv: readonly string[]): string | undefined {
  const [first, second] = argv.filter((word) => !word.startsWith("-"));
  return first === "help" ? second : first;
}
