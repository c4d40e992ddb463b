import { root } from "./checkout.ts";

/** The script of a development tool, to be run with this very Node: PATH's may be too old. */
export function tool(name: "buf" | "oxfmt" | "oxlint" | "tsc"): string {
  return `${root}/node_modules/.bin/${name}`;
}
