import { aptInstall, isOnPath } from "./apt.ts";
import type { Service } from "./service.ts";

/** Shells besides bash, whose completion of `pachctl` is tried. */
export const shells: Service = {
  name: "zsh and fish",
  isThere: async () => (await isOnPath("zsh")) && (await isOnPath("fish")),
  install: async () => await aptInstall("zsh", "fish"),
};
