import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { randomHex, type Random } from "../../base/random.ts";
import type { RunOptions, RunOutcome, RunSpec } from "../runner.ts";
import type { LocalImage } from "./docker-engine.ts";
import { WarmContainer, type WarmDeps } from "./warm-container.ts";

export interface WarmPoolOptions extends WarmDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  /** Directory for the control files of containers. */
  readonly scratch: string;
}

/** A container that nobody uses for so long goes. */
const idleMsMax = 3_000;

interface Entry {
  readonly key: string;
  readonly group: string;
  /** By the name that the spec has for it. */
  readonly imageName: string;
  readonly image: LocalImage;
  readonly container: WarmContainer;
  /** Whether it can serve another run; settles when it has been tidied up. */
  readonly ready: Promise<boolean>;
  readonly taken: AbortController;
}

/** Containers that serve the runs of one group, one after the other. */
export class WarmPool {
  private readonly options: WarmPoolOptions;
  private readonly idle: Entry[] = [];
  private readonly all = new Set<WarmContainer>();
  /** Images that cannot be kept warm. */
  private readonly unfit = new Set<string>();

  constructor(options: WarmPoolOptions) {
    this.options = options;
  }

  /** Runs a command in a container of its group; undefined when there can be none. */
  async run(
    spec: RunSpec,
    image: LocalImage,
    options: RunOptions,
  ): Promise<RunOutcome | undefined> {
    if (spec.group === undefined || this.unfit.has(image.id) || image.volumes.length > 0)
      return undefined;
    const key = keyOf(spec, image);
    const container = (await this.take(key)) ?? (await this.start(spec, image));
    if (container === undefined) return undefined;
    try {
      const { outcome, isReusable } = await container.run(spec, options);
      if (isReusable)
        this.giveBack(container, { key, group: spec.group, imageName: spec.image, image });
      else await this.retire(container);
      return outcome;
    } catch (error) {
      await this.retire(container);
      throw error;
    }
  }

  /** The image of an earlier run of the same group, without asking anybody. */
  imageOf({ group, image }: RunSpec): LocalImage | undefined {
    return this.idle.find((entry) => entry.group === group && entry.imageName === image)?.image;
  }

  async close(): Promise<void> {
    for (const { taken } of this.idle) taken.abort();
    await Promise.all([...this.all].map(async (container) => await this.retire(container)));
  }

  private async take(key: string): Promise<WarmContainer | undefined> {
    for (;;) {
      const at = this.idle.findIndex((entry) => entry.key === key);
      const [entry] = at < 0 ? [] : this.idle.splice(at, 1);
      if (entry === undefined) return undefined;
      entry.taken.abort();
      if (await entry.ready) return entry.container;
    }
  }

  private async start(spec: RunSpec, image: LocalImage): Promise<WarmContainer | undefined> {
    const { scratch, mounts, random, log } = this.options;
    const name = randomHex(random, 8);
    const place = { name, control: `${scratch}/${name}`, pfs: `${mounts.shared}/${name}` };
    const container = await WarmContainer.start(this.options, { spec, image }, place);
    if (container !== undefined) {
      this.all.add(container);
      return container;
    }
    this.unfit.add(image.id);
    log.info({ image: spec.image }, "Each task gets a container of its own with this image");
    return undefined;
  }

  private giveBack(
    container: WarmContainer,
    use: Omit<Entry, "container" | "ready" | "taken">,
  ): void {
    const ready = this.tidy(container);
    const taken = new AbortController();
    const entry = { ...use, container, ready, taken };
    this.idle.push(entry);
    const { clock } = this.options;
    clock.sleep(idleMsMax, taken.signal).then(
      async () => {
        this.idle.splice(this.idle.indexOf(entry), 1);
        await this.retire(container);
      },
      () => undefined,
    );
  }

  private async tidy(container: WarmContainer): Promise<boolean> {
    try {
      if (await container.reset()) return true;
    } catch (error) {
      this.options.log.warn({ error: String(error) }, "A container could not be tidied up");
    }
    await this.retire(container);
    return false;
  }

  private async retire(container: WarmContainer): Promise<void> {
    try {
      await container.remove();
    } catch (error) {
      this.options.log.warn({ error: String(error) }, "A container could not be removed");
    } finally {
      this.all.delete(container);
    }
  }
}

/** Runs with the same key may have the same container, one after the other. */
function keyOf({ group, user, workingDir, limits, network }: RunSpec, image: LocalImage): string {
  return JSON.stringify([group, image.id, user, workingDir, limits, network]);
}
