import assert from "node:assert/strict";
import { constants } from "node:os";
import { describe, it } from "node:test";
import type { Log } from "../../base/log.ts";
import { Refusal } from "../refusal.ts";
import type { Volume } from "../volume.ts";
import type { TakenRequest } from "./device.ts";
import { serve } from "./serve.ts";

const { ENOENT, EIO, EINTR, EAGAIN, EPROTO, ENOSYS, EPERM, ENODATA } = constants.errno;

/** A kernel that asks what a test tells it to. */
class FakeKernel {
  readonly answers = new Map<number, { code: number; body: Buffer }>();
  private readonly waiting: ((request: Buffer | undefined) => void)[] = [];
  private readonly coming: (Buffer | undefined)[] = [];
  private lastId = 0;

  async read(): Promise<TakenRequest | undefined> {
    const request = this.coming.length > 0 ? this.coming.shift() : await this.next();
    if (request === undefined) {
      this.coming.push(undefined);
      this.waiting.shift()?.(undefined);
      return undefined;
    }
    return { bytes: request, giveBack: () => undefined };
  }

  write(parts: readonly Uint8Array[]): void {
    const answer = Buffer.concat(parts);
    assert.equal(answer.readUInt32LE(0), answer.length, "the length that it says");
    const code = -answer.readInt32LE(4);
    this.answers.set(answer.readUInt32LE(8), { code, body: answer.subarray(16) });
  }

  /** Asks; gives back the number of the request. */
  ask(opcode: number, body: Buffer = Buffer.alloc(0), node = 1): number {
    const request = Buffer.alloc(40 + body.length);
    request.writeUInt32LE(request.length, 0);
    request.writeUInt32LE(opcode, 4);
    request.writeUInt32LE(++this.lastId, 8);
    request.writeUInt32LE(node, 16);
    body.copy(request, 40);
    this.give(request);
    return this.lastId;
  }

  end(): void {
    this.give(undefined);
  }

  codeOf(id: number): number | undefined {
    return this.answers.get(id)?.code;
  }

  private give(request: Buffer | undefined): void {
    const wake = this.waiting.shift();
    if (wake === undefined) this.coming.push(request);
    else wake(request);
  }

  private async next(): Promise<Buffer | undefined> {
    return await new Promise((resolve) => this.waiting.push(resolve));
  }
}

const refused: Partial<Volume> = {
  lookup: () => Promise.reject(new Refusal("ENOENT")),
  open: (_node, _mode, signal) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        reject(new Refusal("EINTR"));
      });
    }),
  save: () => Promise.reject(new Error("a bug")),
};

function openSession(volume: Partial<Volume>) {
  const kernel = new FakeKernel();
  const told: string[] = [];
  const note = (_: object, message: string): void => {
    told.push(message);
  };
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const owner = { uid: 0, gid: 0 };
  const ended = serve({ device: kernel, volume: volume as Volume, owner, log });
  return { kernel, told, ended };
}

function init(major: number, minor: number): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt32LE(major, 0);
  body.writeUInt32LE(minor, 4);
  body.writeUInt32LE(0xffffffff, 12);
  return body;
}

const word = (value: number): Buffer => {
  const body = Buffer.alloc(8);
  body.writeUInt32LE(value);
  return body;
};

describe("serve()", () => {
  it("serve() answers each request with what the volume says, and a bug with EIO and a line", async () => {
    const { kernel, told, ended } = openSession(refused);
    const ids = {
      lookup: kernel.ask(1, Buffer.from("name\0")),
      save: kernel.ask(25, Buffer.alloc(24)),
      fallocate: kernel.ask(43, Buffer.alloc(32)),
      symlink: kernel.ask(6, Buffer.from("a\0b\0")),
      extended: kernel.ask(22, Buffer.from("\0\0\0\0\0\0\0\0security.capability\0")),
    };
    kernel.end();
    await ended;
    assert.equal(kernel.codeOf(ids.lookup), ENOENT);
    assert.equal(kernel.codeOf(ids.save), EIO);
    assert.equal(kernel.codeOf(ids.fallocate), ENOSYS);
    assert.equal(kernel.codeOf(ids.symlink), EPERM);
    assert.equal(kernel.codeOf(ids.extended), ENODATA);
    assert.deepEqual(told, ["A request of the kernel failed"]);
  });

  it("serve() interrupts what is under way, and has the kernel ask again for what is not", async () => {
    const { kernel, ended } = openSession(refused);
    const opening = kernel.ask(14, word(0));
    const unknown = kernel.ask(36, word(999));
    const interrupt = kernel.ask(36, word(opening));
    kernel.end();
    await ended;
    assert.equal(kernel.codeOf(opening), EINTR);
    assert.equal(kernel.codeOf(unknown), EAGAIN);
    assert.equal(kernel.codeOf(interrupt), undefined, "no answer of its own");
  });

  it("serve() interrupts all that is under way when the mount ends", async () => {
    const { kernel, ended } = openSession(refused);
    const opening = kernel.ask(14, word(0));
    kernel.end();
    await ended;
    assert.equal(kernel.codeOf(opening), EINTR);
  });

  it("serve() takes of what the kernel offers what it knows, and refuses a kernel that is too old", async () => {
    const { kernel, told, ended } = openSession(refused);
    const good = kernel.ask(26, init(7, 45));
    const old = kernel.ask(26, init(7, 30));
    kernel.end();
    await ended;
    const flags = kernel.answers.get(good)!.body.readUInt32LE(12);
    assert.equal(flags & (1 << 16), 0, "no cache that writes back");
    assert.notEqual(flags & (1 << 13), 0, "attributes with names");
    assert.equal(kernel.codeOf(old), EPROTO);
    assert.deepEqual(told, ["This kernel is too old to mount: Linux 5.2 or newer is needed"]);
  });

  it("serve() tells the volume of each node that is forgotten", async () => {
    const forgotten: [number, number][] = [];
    const { kernel, ended } = openSession({
      forget: (node, uses) => {
        forgotten.push([node, uses]);
      },
    });
    kernel.ask(2, word(3), 7);
    kernel.ask(42, Buffer.concat([word(2), word(8), word(1), word(9), word(2)]));
    kernel.end();
    await ended;
    assert.deepEqual(forgotten, [
      [7, 3],
      [8, 1],
      [9, 2],
    ]);
  });
});
