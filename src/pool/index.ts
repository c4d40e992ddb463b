export type { Pool } from "./pool.ts";
export { openLocalPool, type LocalPoolOptions } from "./local/open-local-pool.ts";
