import type * as nodeFs from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { MiB } from "../../base/size.ts";
import type { ContentCache } from "../tree/content-cache.ts";
import type { Numbers } from "../tree/handles.ts";
import { ScratchSpace } from "../tree/scratch.ts";
import type { ShownView } from "../view/shown-view.ts";
import type { Found, Space, UserAndGroup } from "../volume.ts";
import { KeptFiles, type KeptFs } from "./kept-files.ts";
import { usedOf } from "./output-attributes.ts";
import type { OutputNode } from "./output-node.ts";
import { OutputTree } from "./output-tree.ts";
import { OutputVolume } from "./output-volume.ts";
import { WrittenOutput } from "./written-output.ts";

/** The part of the file system that outputs use. */
export type OutputsFs = KeptFs & Pick<typeof nodeFs, "statfs">;

/** An output that a task begins with and changes. */
export interface ShownOutput {
  /** What is brought of what was inherited. */
  readonly view: ShownView;
  /** The output as it stands: to be asked for when nobody changes it any more. */
  look(signal: AbortSignal): WrittenOutput;
  /** Takes it away, with all that was written. */
  hide(): Promise<void>;
}

interface OutputsDeps {
  readonly fs: OutputsFs;
  readonly cache: ContentCache;
  readonly clock: Clock;
  readonly owner: UserAndGroup;
  readonly numbers: Numbers;
  /** The mount shows them below this path. */
  readonly point: string;
}

/** Small files of one output that are in memory; others are on disk. */
const memoryBytesMax = 4 * MiB;

/** Outputs of tasks below one mount. */
export class ShownOutputs {
  readonly volume: OutputVolume;
  private readonly deps: OutputsDeps;
  private readonly nodes = new Map<number, OutputNode>();
  private readonly tops = new Map<string, OutputNode>();

  constructor(deps: OutputsDeps) {
    this.deps = deps;
    const space = async (): Promise<Space> => await spaceOf(deps.fs, dirname(deps.point));
    this.volume = new OutputVolume({ ...deps, nodes: this.nodes, space });
  }

  /** Shows an output that begins as a view at `name`; what is written goes to `folder`, which is made at need. */
  show(name: string, view: ShownView, folder: string): ShownOutput {
    const { fs, point } = this.deps;
    const kept = new KeptFiles({ fs, folder });
    const scratch = new ScratchSpace(async () => await kept.make(), memoryBytesMax);
    const tree = new OutputTree({ ...this.deps, nodes: this.nodes, view, scratch });
    this.tops.set(name, tree.top);
    const hide = async (): Promise<void> => {
      this.tops.delete(name);
      tree.close();
      await kept.close();
    };
    const look = (signal: AbortSignal): WrittenOutput =>
      new WrittenOutput(tree, `${point}/${name}`, signal);
    return { view, look, hide };
  }

  has(node: number): boolean {
    return this.nodes.has(node);
  }

  /** The output of this name, for the kernel. */
  find(name: string): Found | undefined {
    const top = this.tops.get(name);
    return top === undefined ? undefined : usedOf(top);
  }
}

async function spaceOf(fs: OutputsFs, folder: string): Promise<Space> {
  const { bsize, blocks, bavail } = await fs.statfs(folder);
  return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
}
