export type { LocalDigests } from "./local-digests.ts";
export type { Machine } from "./machine.ts";
export type { MountedPoint, Mounting, MountRequest } from "./mounting.ts";
export type { CliDeps, Disk } from "./context.ts";
export { createProgram, type Program } from "./program.ts";
export { runCli } from "./run-cli.ts";
