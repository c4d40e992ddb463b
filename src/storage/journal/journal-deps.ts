import type { Random } from "../../base/random.ts";
import type { MetadataStore } from "../../metadata/index.ts";
import type { ObjectStore } from "../../objectstore/index.ts";
import type { Session } from "../session.ts";

/** A writer that takes longer than this may be taken for dead: then two write, and no harm is done. */
export const journalLeaseMs = 60_000;

export interface JournalDeps {
  readonly objects: ObjectStore;
  readonly metadata: Pick<MetadataStore, "call">;
  readonly random: Random;
  readonly session: Session;
}
