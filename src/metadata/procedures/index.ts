/** placeholder until the procedures land */
export interface Procedures {
  readonly ping: import("../metadata-store.ts").Procedure<{ text: string }, { text: string }>;
}
export const procedures: Procedures = { ping: async (_tx, input) => input };
