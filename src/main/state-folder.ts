import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Where a user's programs remember what they were doing. */
export function stateFolder(env: Readonly<Record<string, string | undefined>>): string {
  const state = env["XDG_STATE_HOME"];
  return join(
    state !== undefined && isAbsolute(state) ? state : join(homedir(), ".local", "state"),
    "mammoth",
  );
}
