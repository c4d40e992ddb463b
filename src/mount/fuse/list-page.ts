import type { Listed } from "../volume.ts";
import { entryBytes, listedBytes, writeEntry, writeListed, type Owner } from "./reply.ts";

/** The answer to one question for names: as many as fit. */
export class ListPage {
  private readonly bytes: Buffer;
  private readonly owner: Owner | undefined;
  private used = 0;

  /** @param owner when the attributes are to come with the names */
  constructor(bytesMax: number, owner: Owner | undefined) {
    this.bytes = Buffer.alloc(bytesMax);
    this.owner = owner;
  }

  /** False when there was no room for it. */
  add(listed: Listed): boolean {
    const name = Buffer.from(listed.name, "utf8");
    const start = this.used + (this.owner === undefined ? 0 : entryBytes);
    const end = start + listedBytes(name.length);
    if (end > this.bytes.length) return false;
    if (this.owner !== undefined) writeEntry(this.bytes, this.used, listed, this.owner);
    const { node, kind } = listed.attributes;
    writeListed(this.bytes, start, { node, kind, next: listed.next, name });
    this.used = end;
    return true;
  }

  /** All that was added. */
  get content(): Buffer {
    return this.bytes.subarray(0, this.used);
  }
}
