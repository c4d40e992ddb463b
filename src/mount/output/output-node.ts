import type { ViewFile } from "../../model/claimed-task.ts";
import type { Attributes, UserAndGroup } from "../volume.ts";
import type { OutputFile } from "./output-file.ts";
import type { OutputTree } from "./output-tree.ts";

/** One name of a node. */
export interface NodePlace {
  readonly parent: OutputNode;
  readonly name: string;
}

/** How something begins. */
export interface NodeStart {
  readonly kind: Attributes["kind"];
  readonly mode: number;
  readonly owner: UserAndGroup;
  readonly modifiedMicros: number;
  /** What it was in the view, when it was inherited. */
  readonly origin?: ViewFile;
  /** Of a link. */
  readonly target?: string;
}

/** Something in an output that the kernel knows, that was changed, or that leads to such a thing. */
export class OutputNode {
  readonly id: number;
  readonly tree: OutputTree;
  readonly kind: Attributes["kind"];
  readonly origin: ViewFile | undefined;
  readonly target: string;
  mode: number;
  owner: UserAndGroup;
  modifiedMicros: number;
  /** All its names; more than one only of what is no directory, none of what was removed. */
  places: NodePlace[] = [];
  /** It, or something below it, is not as it was inherited. */
  isChanged: boolean;
  uses = 0;
  opens = 0;
  /** Of a directory: what is known to be in it. */
  readonly children = new Map<string, OutputNode>();
  /** Of a directory: inherited names that do not lead any more to what they led to. */
  readonly hidden = new Map<string, ViewFile["type"]>();
  /** Of a file: what it contains, once that was looked at. */
  file: OutputFile | undefined;

  constructor(id: number, tree: OutputTree, start: NodeStart) {
    this.id = id;
    this.tree = tree;
    this.kind = start.kind;
    this.mode = start.mode;
    this.owner = start.owner;
    this.modifiedMicros = start.modifiedMicros;
    this.origin = start.origin;
    this.target = start.target ?? "";
    this.isChanged = start.origin === undefined;
  }

  get sizeBytes(): number {
    if (this.kind === "link") return Buffer.byteLength(this.target);
    return this.file?.sizeBytes ?? this.origin?.bytes ?? 0;
  }

  /** Takes note that it is not as it was inherited, and so nothing above it is. */
  touch(): void {
    if (this.isChanged && this.places.every(({ parent }) => parent.isChanged)) return;
    this.isChanged = true;
    for (const { parent } of this.places) parent.touch();
  }
}
