import { aptInstall } from "./apt.ts";
import type { Service } from "./service.ts";
import { go, whyNoToolchain } from "./toolchain.ts";

/** Runs the tests of sdk/go, and builds the S3 server. */
export const goToolchain: Service = {
  name: "go",
  isThere: async () => (await whyNoToolchain(go)) === undefined,
  install: async () => await aptInstall("golang-go"),
};
