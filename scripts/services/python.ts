import { aptInstall } from "./apt.ts";
import type { Service } from "./service.ts";
import { python, whyNoToolchain } from "./toolchain.ts";

/** Runs the tests of sdk/python. */
export const pythonToolchain: Service = {
  name: "python3",
  isThere: async () => (await whyNoToolchain(python)) === undefined,
  install: async () => await aptInstall("python3"),
};
