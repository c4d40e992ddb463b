import { existsSync } from "node:fs";
import { aptInstall } from "./apt.ts";
import type { Service } from "./service.ts";

/** A database server: the tests start it themselves, with data of their own. */
export const postgres: Service = {
  name: "postgresql",
  isThere: async () => existsSync("/usr/lib/postgresql"),
  install: async () => await aptInstall("postgresql"),
};
