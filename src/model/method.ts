/** The unit that is never split between two tasks. */
export type Partition = "BLOCK" | "FILE" | "REPO";

/** How much of an input a job sees: all of it, what is new, or whole files with anything new. */
export type Incremental = "NONE" | "DIFF" | "FULL";

/** How an input is divided and what of it is shown (seed 002 chapter 9.1.5). */
export interface Method {
  readonly partition: Partition;
  readonly incremental: Incremental;
}

/** The named methods; `map` is the default. */
export const methodAliases: Readonly<Record<string, Method>> = {
  map: { partition: "BLOCK", incremental: "DIFF" },
  reduce: { partition: "FILE", incremental: "NONE" },
  incremental_reduce: { partition: "FILE", incremental: "DIFF" },
  global: { partition: "REPO", incremental: "NONE" },
};
