import { CommanderError, type Command } from "commander";
import { CodedError, codedErrorFrom, errorCodes } from "../base/errors.ts";
import type { CliDeps } from "./context.ts";
import { createProgram, type Program } from "./program.ts";

/**
 * Runs one command line, without the names of node and script.
 *
 * Output goes to stdout; failures to stderr, in one or two lines, never a stack trace.
 *
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage
 */
export async function runCli(argv: readonly string[], deps: CliDeps): Promise<number> {
  let program: Program | undefined;
  let failure: unknown;
  try {
    program = await createProgram(argv, deps);
    await program.command.parseAsync(argv, { from: "user" });
  } catch (error) {
    failure = error;
  }
  try {
    await program?.context.close();
  } catch (error) {
    failure = error;
  }
  if (failure === undefined || program?.context.isOutputGone === true) return 0;
  if (failure instanceof CommanderError && failure.exitCode === 0) return 0;
  const error =
    failure instanceof CommanderError
      ? usageError(failure, chosen(program?.command, argv))
      : codedErrorFrom(failure);
  deps.stderr.write(`${error.message}\n`);
  return errorCodes[error.code].exit;
}

/** What commander refuses, in the original's words where it had any, with the command's usage. */
function usageError(error: CommanderError, command: Command | undefined): CodedError {
  const isCount =
    error.code === "commander.missingArgument" || error.code === "commander.excessArguments";
  const message =
    isCount && command !== undefined
      ? countMessage(command)
      : error.message.replace(/^error: /, "").replace("\n", " ");
  const usage =
    command === undefined ? "" : `\nUsage: pachctl ${command.name()} ${command.usage()}`;
  return new CodedError("usage", message + usage);
}

function countMessage(command: Command): string {
  const { registeredArguments, args } = command;
  const min = registeredArguments.filter(({ required }) => required).length;
  const max = registeredArguments.some(({ variadic }) => variadic)
    ? Infinity
    : registeredArguments.length;
  const expected =
    min === max ? `${min}` : max === Infinity ? `at least ${min}` : `${min} to ${max}`;
  return `expected ${expected} arguments, got ${args.length}`;
}

function chosen(program: Command | undefined, argv: readonly string[]): Command | undefined {
  const [typed] = argv.filter((word) => !word.startsWith("-"));
  return program?.commands.find((command) => command.name() === typed);
}
