import type { MetadataStore, RefsPage, RefsTable } from "../../metadata/index.ts";
import { decodeRun } from "../tree/run-format.ts";
import type { NodeSource } from "../tree/entry.ts";
import { decodeTreeRef } from "../tree/tree-ref-format.ts";
import { MarkFilter } from "./mark-filter.ts";
import { markRefs, type Marker } from "./mark-refs.ts";
import { Visited } from "./visited.ts";

/** Rows asked for at a time: one may hold 256 KiB. */
const rowsMax = 64;
/** Nodes remembered: 128 MiB at most. */
const visitedMax = 2 ** 21;
/**
 * References move from uploads and attempts to staged runs to commits, and a row goes only after what moved has
 * come: who looks in this order misses nothing that is there all the while. Those of blocks stay.
 */
const roots: readonly RefsTable[] = [
  "upload_parts",
  "attempts",
  "staged_runs",
  "commits",
  "put_blocks",
];

export interface MarksDeps {
  readonly metadata: Pick<MetadataStore, "call">;
  readonly nodes: NodeSource;
  /** Called between pages: throws when the run is no longer this one's. */
  readonly keepOn: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** Which chunks and nodes are referred to. */
export class Marks implements Marker {
  private readonly deps: MarksDeps;
  private readonly filter: MarkFilter;
  private readonly visited = new Visited(visitedMax);

  /** @param expected how many chunks there may be */
  constructor(expected: number, salt: number, deps: MarksDeps) {
    this.deps = deps;
    this.filter = new MarkFilter(expected, salt);
  }

  /**
   * Marks all that any row refers to. Called again, it reads only what is new.
   *
   * @returns whether there was anything new
   * @throws CodedError `data_loss` when a node cannot be read: nothing may then be taken for garbage
   */
  async markAll(): Promise<boolean> {
    const before = this.filter.added;
    for (const table of roots)
      for await (const refs of refsOf(table, this.deps))
        await markRefs(refs, this.deps.nodes, this, this.deps.signal);
    return this.filter.added > before;
  }

  has(hash: Buffer): boolean {
    return this.filter.has(hash);
  }

  node(address: Buffer): boolean {
    if (!this.visited.add(address)) return false;
    this.filter.add(address);
    return true;
  }

  piece(hash: Buffer): void {
    this.filter.add(hash);
  }
}

/** What the rows of a table refer to. */
export async function* refsOf(
  table: RefsTable,
  { metadata, keepOn, signal }: Pick<MarksDeps, "metadata" | "keepOn" | "signal">,
): AsyncGenerator<Parameters<typeof markRefs>[0] & { repo: string }, void, void> {
  for (let after: (string | number)[] | null = null; ;) {
    signal.throwIfAborted();
    await keepOn();
    const page: RefsPage = await metadata.call("listRefs", { table, after, limit: rowsMax });
    for (const { trees, entries, repo } of page.refs)
      yield {
        repo,
        trees: trees.map((tree) => decodeTreeRef(tree)),
        entries: entries === null ? [] : decodeRun(entries),
      };
    if (page.next === null) return;
    after = page.next;
  }
}
