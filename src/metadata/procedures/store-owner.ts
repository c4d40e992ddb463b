import type { Procedure, Tx } from "../metadata-store.ts";

/** How a database is known in its object store: by its turn, each recovery being another, and a random id. */
export interface StoreOwner {
  readonly turn: number;
  readonly id: number;
}

/** What this database says of its object store. */
export interface Ownership {
  /** Null when it has not claimed one yet. */
  readonly owner: StoreOwner | null;
  /** Nothing was ever made here. */
  readonly isUnused: boolean;
  /** A recovery into it has begun and not ended. */
  readonly isRecovering: boolean;
}

/** Who this database is, and what has become of it. */
export const ownership: Procedure<Record<string, never>, Ownership> = async (tx) => ({
  owner: await ownerIn(tx),
  isUnused: await isUnused(tx),
  isRecovering: (await counter(tx, "recovering")) === 1,
});

/** Names this database, unless it has a name of this turn or a later one; gives back which it has. */
export const becomeOwner: Procedure<StoreOwner, StoreOwner> = async (tx, owner) => {
  const known = await ownerIn(tx);
  if (known !== null && known.turn >= owner.turn) return known;
  await setCounter(tx, "store_turn", owner.turn);
  await setCounter(tx, "store_id", owner.id);
  return owner;
};

async function isUnused(tx: Tx): Promise<boolean> {
  const found = await tx.get(
    `SELECT name AS one FROM repos UNION ALL SELECT uid FROM commits UNION ALL SELECT id FROM packs UNION ALL SELECT id FROM put_blocks LIMIT 1`,
  );
  return found === undefined;
}

async function ownerIn(tx: Tx): Promise<StoreOwner | null> {
  const [turn, id] = [await counter(tx, "store_turn"), await counter(tx, "store_id")];
  return turn === undefined || id === undefined ? null : { turn, id };
}

async function counter(tx: Tx, name: string): Promise<number | undefined> {
  return (await tx.get<{ value: number }>(`SELECT value FROM counters WHERE name = ?`, name))
    ?.value;
}

/** Sets a counter, whatever it was. */
export async function setCounter(tx: Tx, name: string, value: number): Promise<void> {
  await tx.run(
    `INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    name,
    value,
  );
}
