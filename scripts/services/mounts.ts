import { aptInstall, isOnPath } from "./apt.ts";
import type { Service } from "./service.ts";

const programs = ["fusermount3", "rsync", "sqlite3"];

/** What mounts need for ordinary users, and programs that people use on them. */
export const mounts: Service = {
  name: "fuse3, rsync and sqlite3",
  isThere: async () => (await Promise.all(programs.map(isOnPath))).every(Boolean),
  install: async () => await aptInstall("fuse3", "rsync", "sqlite3"),
};
