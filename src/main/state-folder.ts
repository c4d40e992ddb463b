import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

type Env = Readonly<Record<string, string | undefined>>;

/** Where a user's programs remember what they were doing. */
export function stateFolder(env: Env): string {
  return ownFolder(env["XDG_STATE_HOME"], ".local/state");
}

/** Where they keep what only saves time. */
export function cacheFolder(env: Env): string {
  return ownFolder(env["XDG_CACHE_HOME"], ".cache");
}

function ownFolder(set: string | undefined, otherwise: string): string {
  const folder = set !== undefined && isAbsolute(set) ? set : join(homedir(), otherwise);
  return join(folder, "mammoth");
}
