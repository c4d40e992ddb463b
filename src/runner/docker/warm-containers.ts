import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { randomHex, type Random } from "../../base/random.ts";
import type { RunOptions, RunOutcome, RunSpec } from "../runner.ts";
import { WarmPool } from "../warm/warm-pool.ts";
import type { LocalImage } from "./docker-engine.ts";
import { WarmContainer, type WarmDeps } from "./warm-container.ts";

export interface WarmContainersOptions extends WarmDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  /** Directory for the control files of containers. */
  readonly scratch: string;
}

/** A container that nobody uses for so long goes. */
const idleMsMax = 3_000;

/** Containers that serve the runs of one group, one after the other. */
export class WarmContainers {
  private readonly options: WarmContainersOptions;
  private readonly pool: WarmPool<WarmContainer>;
  /** Images that cannot be kept warm. */
  private readonly unfit = new Set<string>();

  constructor(options: WarmContainersOptions) {
    this.options = options;
    this.pool = new WarmPool({ ...options, idleMsMax });
  }

  /** Runs a command in a container of its group; undefined when there can be none. */
  async run(
    spec: RunSpec,
    image: LocalImage,
    options: RunOptions,
  ): Promise<RunOutcome | undefined> {
    if (spec.group === undefined || this.unfit.has(image.id) || image.volumes.length > 0)
      return undefined;
    const start = async (): Promise<WarmContainer | undefined> => await this.start(spec, image);
    return await this.pool.run(keyOf(spec, image), start, spec, options);
  }

  /** The image of an earlier run of the same group, without asking anybody. */
  imageOf({ group, image }: RunSpec): LocalImage | undefined {
    return this.pool.find((warm) => warm.group === group && warm.imageName === image)?.image;
  }

  async close(): Promise<void> {
    await this.pool.close();
  }

  private async start(spec: RunSpec, image: LocalImage): Promise<WarmContainer | undefined> {
    const { scratch, mounts, random, log } = this.options;
    const name = randomHex(random, 8);
    const place = { name, control: `${scratch}/${name}`, pfs: `${mounts.shared}/${name}` };
    const container = await WarmContainer.start(this.options, { spec, image }, place);
    if (container === undefined) {
      this.unfit.add(image.id);
      log.info({ image: spec.image }, "Each task gets a container of its own with this image");
    }
    return container;
  }
}

/** Runs with the same key may have the same container, one after the other. */
function keyOf({ group, user, workingDir, limits, network }: RunSpec, image: LocalImage): string {
  return JSON.stringify([group, image.id, user, workingDir, limits, network]);
}
