import { constants } from "node:fs";
import { Refusal } from "../refusal.ts";
import type { Found, Missing, OpenMode, Place, Volume } from "../volume.ts";
import { ListPage } from "./list-page.ts";
import {
  encodeAttributes,
  encodeEntry,
  encodeExtendedSize,
  encodeMissing,
  encodeOpened,
  encodeSpace,
  encodeWritten,
  typeBits,
  type Owner,
} from "./reply.ts";
import { transferBytesMax } from "./protocol.ts";
import type { Question, Request } from "./request.ts";

type Parts = readonly Uint8Array[];
/** Those that a session answers by itself. */
export type Asked = Exclude<Question, { op: "init" | "forget" | "interrupt" }>;
type Op<Name extends Asked["op"]> = Extract<Asked, { op: Name }>;

const done: Parts = [];

/** What the volume says to each question, as the kernel reads it. */
export class Answers {
  private readonly volume: Volume;
  private readonly owner: Owner;

  constructor(volume: Volume, owner: Owner) {
    this.volume = volume;
    this.owner = owner;
  }

  /** @throws Refusal, or what the volume fails with */
  async to(
    { node, owner }: Pick<Request, "node" | "owner">,
    asked: Asked,
    signal: AbortSignal,
  ): Promise<Parts> {
    switch (asked.op) {
      case "lookup":
      case "makeDirectory":
      case "unlink":
      case "removeDirectory":
      case "rename":
      case "create":
        return await this.toName({ node, owner }, asked, signal);
      case "makeLink":
      case "readLink":
      case "addName":
      case "makeSpecial":
        return await this.toLink({ node, owner }, asked, signal);
      case "read":
      case "write":
      case "readDirectory":
      case "readDirectoryPlus":
        return await this.toTransfer(asked, signal);
      case "getAttributes":
      case "setAttributes":
      case "open":
      case "openDirectory":
        return await this.toNode(node, asked, signal);
      case "flush":
      case "fsync":
        await this.volume.save(asked.handle, signal);
        return done;
      case "release":
        await this.volume.release(asked.handle);
        return done;
      case "releaseDirectory":
        this.volume.releaseDirectory(asked.handle);
        return done;
      case "fsyncDirectory":
      case "destroy":
        // What changes in a directory is durable when it is answered.
        return done;
      case "statFs":
      case "access":
      case "getExtended":
      case "listExtended":
      case "unknown":
        return await this.toOther(node, asked, signal);
    }
  }

  private async toName(
    { node, owner }: Pick<Request, "node" | "owner">,
    asked: Op<"lookup" | "makeDirectory" | "unlink" | "removeDirectory" | "rename" | "create">,
    signal: AbortSignal,
  ): Promise<Parts> {
    const place = placeOf(node, asked.name);
    switch (asked.op) {
      case "lookup":
        return [this.entry(await this.volume.lookup(place, signal))];
      case "makeDirectory":
        return [
          this.entry(
            await this.volume.makeDirectory({ ...place, mode: asked.mode, owner }, signal),
          ),
        ];
      case "unlink":
        await this.volume.remove(place, "file", signal);
        return done;
      case "removeDirectory":
        await this.volume.remove(place, "dir", signal);
        return done;
      case "rename": {
        // Exchanging two names is more than a volume can do at once.
        if ((asked.flags & ~renameNoReplace) !== 0) throw new Refusal("EINVAL");
        const to = placeOf(asked.directory, asked.newName);
        const replace = asked.flags === 0;
        await this.volume.rename(place, { ...to, replace }, signal);
        return done;
      }
      case "create": {
        const exclusive = (asked.flags & constants.O_EXCL) !== 0;
        const mode = { ...modeOf(asked.flags), exclusive };
        const wanted = { ...place, mode: asked.mode, owner };
        const created = await this.volume.create(wanted, mode, signal);
        return [this.entry(created), encodeOpened(created, "file")];
      }
    }
  }

  private async toNode(
    node: number,
    asked: Op<"getAttributes" | "setAttributes" | "open" | "openDirectory">,
    signal: AbortSignal,
  ): Promise<Parts> {
    switch (asked.op) {
      case "getAttributes":
        return [encodeAttributes(await this.volume.attributes(node, signal), this.owner)];
      case "setAttributes": {
        const changed = await this.volume.change(node, asked.change, signal);
        return [encodeAttributes(changed, this.owner)];
      }
      case "open": {
        const mode = modeOf(asked.flags);
        const opened = await this.volume.open(node, mode, signal);
        return [encodeOpened(opened, mode.write ? "file" : "file to read")];
      }
      case "openDirectory":
        return [encodeOpened(await this.volume.openDirectory(node, signal), "dir")];
    }
  }

  private async toTransfer(
    asked: Op<"read" | "write" | "readDirectory" | "readDirectoryPlus">,
    signal: AbortSignal,
  ): Promise<Parts> {
    const { handle, offset } = asked;
    if (asked.op === "read")
      return await this.volume.read(handle, { offset, bytes: asked.bytes }, signal);
    if (asked.op === "write") {
      await this.volume.write(handle, asked, asked.content, signal);
      return [encodeWritten(asked.content.length)];
    }
    const isPlus = asked.op === "readDirectoryPlus";
    const page = new ListPage(
      Math.min(asked.bytes, transferBytesMax),
      isPlus ? this.owner : undefined,
    );
    const take: Parameters<Volume["list"]>[2] = (listed) => {
      const isTaken = page.add(listed);
      // A name alone leads nobody to the node.
      if (isTaken && !isPlus) this.volume.forget(listed.attributes.node, 1);
      return isTaken;
    };
    await this.volume.list(handle, offset, take, signal);
    return [page.content];
  }

  private async toLink(
    { node, owner }: Pick<Request, "node" | "owner">,
    asked: Op<"makeLink" | "readLink" | "addName" | "makeSpecial">,
    signal: AbortSignal,
  ): Promise<Parts> {
    const { links } = this.volume;
    if (links === undefined) throw new Refusal("EPERM");
    if (asked.op === "readLink") return [Buffer.from(links.readLink(node), "utf8")];
    const place = placeOf(node, asked.name);
    if (asked.op === "addName") return [this.entry(await links.addName(asked.node, place, signal))];
    const wanted = { ...place, mode: asked.mode & 0o7777, owner };
    if (asked.op === "makeLink") {
      if (asked.target === undefined) throw new Refusal("EILSEQ");
      return [this.entry(await links.makeLink(wanted, asked.target, signal))];
    }
    const kind = specialKinds.find((one) => typeBits[one] === (asked.mode & typeMask));
    if (kind === undefined) throw new Refusal("EPERM");
    return [this.entry(await links.makeSpecial(wanted, kind, signal))];
  }

  private async toOther(
    node: number,
    asked: Op<"statFs" | "getExtended" | "listExtended" | "access" | "unknown">,
    signal: AbortSignal,
  ): Promise<Parts> {
    switch (asked.op) {
      case "statFs":
        return [encodeSpace(await this.volume.space(signal))];
      case "access": {
        const isWrite = (asked.mask & constants.W_OK) !== 0;
        if (isWrite && !(await this.volume.isWritable(node, signal))) throw new Refusal("EROFS");
        return done;
      }
      case "getExtended": {
        const { name } = asked;
        // Each program that writes or lists asks for those of the system.
        if (name?.startsWith("user.pfs.") !== true) throw new Refusal("ENODATA");
        const value = (await this.volume.extended(node, signal)).get(name);
        if (value === undefined) throw new Refusal("ENODATA");
        return sized(Buffer.from(value, "utf8"), asked.bytesMax);
      }
      case "listExtended": {
        const names = [...(await this.volume.extended(node, signal)).keys()];
        return sized(Buffer.from(names.map((name) => `${name}\0`).join("")), asked.bytesMax);
      }
      case "unknown":
        // The kernel then does without, and does not ask again where it need not.
        throw new Refusal("ENOSYS");
    }
  }

  private entry(found: Found | Missing): Buffer {
    return "missingMs" in found ? encodeMissing(found) : encodeEntry(found, this.owner);
  }
}

const specialKinds = ["file", "pipe", "socket"] as const;
/** The bits of a mode that say what it is. */
const typeMask = 0o170_000;
const renameNoReplace = 1;
/** The bits of the flags that say how a file is opened. */
const accessMode = 3;

function placeOf(directory: number, name: string | undefined): Place {
  if (name === undefined) throw new Refusal("EILSEQ");
  return { directory, name };
}

function modeOf(flags: number): OpenMode {
  const write = (flags & accessMode) !== constants.O_RDONLY;
  return { write, truncate: (flags & constants.O_TRUNC) !== 0 };
}

/** With no room given, only the size is asked for. */
function sized(value: Buffer, bytesMax: number): Parts {
  if (bytesMax === 0) return [encodeExtendedSize(value.length)];
  if (value.length > bytesMax) throw new Refusal("ERANGE");
  return [value];
}
