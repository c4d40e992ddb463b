import { aptInstall, isOnPath } from "./apt.ts";
import type { Service } from "./service.ts";

/** `unshare`, `mount` and `setpriv` of util-linux: what a user's command is fenced in with. */
export const namespaces: Service = {
  name: "util-linux",
  isThere: async () => (await isOnPath("unshare")) && (await isOnPath("setpriv")),
  install: async () => await aptInstall("util-linux", "mount"),
};
