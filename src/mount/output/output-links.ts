import { Refusal } from "../refusal.ts";
import type { Found, LinkVolume, NewPlace, Place } from "../volume.ts";
import { usedOf } from "./output-attributes.ts";
import type { OutputNames } from "./output-names.ts";

/** Links in outputs, and what is neither file nor directory: no end of a task can store that, but it may come and go. */
export class OutputLinks implements LinkVolume {
  private readonly names: OutputNames;

  constructor(names: OutputNames) {
    this.names = names;
  }

  async makeLink(place: NewPlace, target: string, signal: AbortSignal): Promise<Found> {
    return usedOf(await this.names.make(place, { kind: "link", target }, signal));
  }

  readLink(id: number): string {
    const { kind, target } = this.names.get(id);
    if (kind !== "link") throw new Refusal("EINVAL");
    return target;
  }

  async addName(id: number, place: Place, signal: AbortSignal): Promise<Found> {
    return usedOf(await this.names.add(id, place, signal));
  }

  async makeSpecial(
    place: NewPlace,
    kind: "file" | "pipe" | "socket",
    signal: AbortSignal,
  ): Promise<Found> {
    return usedOf(await this.names.make(place, { kind }, signal));
  }
}
