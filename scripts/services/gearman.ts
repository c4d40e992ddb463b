import { skipWithoutGearman } from "../../src/dispatcher/testing/gearman-server.ts";
import { aptInstall } from "./apt.ts";
import type { Service } from "./service.ts";

/** A job server: the tests start it themselves. */
export const gearman: Service = {
  name: "gearmand",
  isThere: async () => skipWithoutGearman === false,
  install: async () => await aptInstall("gearman-job-server"),
};
