import type { PpsDeps } from "../pps/index.ts";

/** What the classic API stands on. */
export interface ClassicDeps {
  readonly pps: PpsDeps;
  /** The one repo that it knows; made by the first write. */
  readonly repo: string;
}
