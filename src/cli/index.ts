export type { Machine } from "./machine.ts";
export type { CliDeps } from "./context.ts";
export { createProgram, type Program } from "./program.ts";
export { runCli } from "./run-cli.ts";
