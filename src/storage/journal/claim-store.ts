import { CodedError, isCoded } from "../../base/errors.ts";
import { randomBelow, type Random } from "../../base/random.ts";
import type { MetadataStore, StoreOwner } from "../../metadata/index.ts";
import type { ObjectStore } from "../../objectstore/index.ts";
import { packKey } from "../pack-format.ts";
import { listSegments } from "./read-journal.ts";
import { journalPrefix } from "./segment-format.ts";
import { writeObject } from "./write-segment.ts";

/** `journal/owners/<turn of 20 digits>-<id of 20 digits>`: the last in key order owns the store. */
const ownersPrefix = `${journalPrefix}owners/`;

export interface ClaimDeps {
  readonly objects: ObjectStore;
  readonly metadata: Pick<MetadataStore, "call">;
}

/**
 * Makes the object store this database's own, once and for all; to be called before anything is written.
 * Garbage collection removes what its database does not know, so a store must never serve two.
 *
 * @throws CodedError `failed_precondition` when another database owns it: this one is new, or out of date;
 *   or when a recovery into this one did not end
 */
export async function claimStore(
  deps: ClaimDeps & { readonly random: Random },
  signal: AbortSignal,
): Promise<void> {
  // The store first: what a daemon beside this one writes there, it has told the database before.
  const found = await findOwner(deps.objects, signal);
  const hasJournal = (await listSegments(deps.objects, signal)).length > 0;
  const { owner, isUnused, isRecovering } = await deps.metadata.call("ownership", {});
  if (isRecovering)
    throw new CodedError(
      "failed_precondition",
      'Cannot start: a recovery into this database did not end. Run "pachd recover" once more, with the same options',
    );
  if (owner === null && (found !== undefined || (isUnused && hasJournal)))
    throw new CodedError(
      "failed_precondition",
      'Cannot start with a new database: the object store belongs to another one. Run "pachd recover" with the same options if that one is lost, give its --root or --database if not, or choose another --object-store',
    );
  if (found === undefined) await requireKnownPacks(deps, signal);
  const own = owner ?? (await deps.metadata.call("becomeOwner", newOwner(1, deps.random)));
  requireNoLater(own, found);
  if (found === ownerKey(own)) return;
  await writeObject(deps.objects, ownerKey(own), ownerBytes);
  if (found === undefined) await requireSoleOwner(deps, ownerKey(own), signal);
}

/** Packs looked for in a store that nobody has claimed: one that is there is enough. */
const packsLookedFor = 20;

/** @throws CodedError `failed_precondition` when the database knows packs, and none of them is in the store */
async function requireKnownPacks(deps: ClaimDeps, signal: AbortSignal): Promise<void> {
  const known = await deps.metadata.call("listPacks", { after: 0, limit: packsLookedFor });
  const packs = known.filter(({ state }) => state !== "deleted");
  for (const { id } of packs) {
    const found = await deps.objects.stat(packKey(id), { signal }).catch((error: unknown) => {
      if (isCoded(error, "not_found")) return undefined;
      throw error;
    });
    if (found !== undefined) return;
  }
  if (packs.length === 0) return;
  throw new CodedError(
    "failed_precondition",
    "Cannot start: the object store is empty, but the database has data in one. Look at --object-store and at what is mounted there, or give the --root or --database that belongs to this store",
    { details: { pack: packs[0]!.id } },
  );
}

/** Of several databases that claim a store at the same moment, each sees another's claim, or one does alone. */
async function requireSoleOwner(deps: ClaimDeps, own: string, signal: AbortSignal): Promise<void> {
  const others: string[] = [];
  for await (const { key } of deps.objects.list(ownersPrefix, { signal }))
    if (key !== own) others.push(key);
  if (others.length === 0) return;
  await deps.objects.remove(own, { signal });
  throw new CodedError(
    "failed_precondition",
    "Cannot start: another daemon, with another database, claimed the object store at the same moment. Give each an --object-store of its own, or both the same --database",
    { details: { owner: others[0]! } },
  );
}

/**
 * Refuses to go on when another database has taken the store over. One that was never claimed, as in
 * tests, is anybody's.
 *
 * @throws CodedError `failed_precondition`
 */
export async function requireStore(deps: ClaimDeps, signal: AbortSignal): Promise<void> {
  const { owner } = await deps.metadata.call("ownership", {});
  if (owner !== null) requireNoLater(owner, await findOwner(deps.objects, signal));
}

/** Has the metadata that is being recovered own the store, after all that did. */
export async function takeOverStore(
  deps: ClaimDeps & { readonly random: Random },
  signal: AbortSignal,
): Promise<void> {
  const owner = await findOwner(deps.objects, signal);
  const turn = owner === undefined ? 0 : Number(owner.slice(ownersPrefix.length).split("-")[0]);
  const own = await deps.metadata.call("becomeOwner", newOwner(turn + 1, deps.random));
  await writeObject(deps.objects, ownerKey(own), ownerBytes);
}

// All that it says is in its key: an object is not to be empty everywhere.
const ownerBytes = Buffer.from("owner\n");

function newOwner(turn: number, random: Random): StoreOwner {
  return { turn, id: randomBelow(random, 2 ** 48) };
}

function ownerKey({ turn, id }: StoreOwner): string {
  const digits = (value: number): string => String(value).padStart(20, "0");
  return `${ownersPrefix}${digits(turn)}-${digits(id)}`;
}

/** The key of the last that took the store; undefined for one that is nobody's. */
async function findOwner(objects: ObjectStore, signal: AbortSignal): Promise<string | undefined> {
  let owner: string | undefined;
  for await (const { key } of objects.list(ownersPrefix, { signal })) owner = key;
  return owner;
}

function requireNoLater(own: StoreOwner, found: string | undefined): void {
  if (found === undefined || found <= ownerKey(own)) return;
  throw new CodedError(
    "failed_precondition",
    `Cannot go on: another database has taken the object store over with "pachd recover", this one is out of date. Use that one; if it was a mistake, remove the object ${found}`,
    { details: { owner: found } },
  );
}
