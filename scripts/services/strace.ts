import { aptInstall, isOnPath } from "./apt.ts";
import type { Service } from "./service.ts";

/** Shows the system calls of a program: proves that what was acknowledged was synced before. */
export const strace: Service = {
  name: "strace",
  isThere: async () => await isOnPath("strace"),
  install: async () => await aptInstall("strace"),
};
