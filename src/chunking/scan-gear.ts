import { KiB } from "../base/size.ts";
import { findGearCut, gearTable, type Gear } from "./gear.ts";

/**
 * The loop of findGearCut(), assembled from this text. The table's words are at 0 of its memory, bytes from 1 024 on.
 *
 *     (module
 *       (memory (export "memory") 5)
 *       (global $hash (export "hash") (mut i32) (i32.const 0))
 *       (func (export "find") (param $at i32) (param $to i32) (result i32)
 *         (local $h i32)
 *         (local.set $h (global.get $hash))
 *         (block $end
 *           (loop $next
 *             (br_if $end (i32.ge_u (local.get $at) (local.get $to)))
 *             (local.set $h (i32.add (i32.shl (local.get $h) (i32.const 1))
 *               (i32.load (i32.shl (i32.load8_u offset=1024 (local.get $at)) (i32.const 2)))))
 *             (local.set $at (i32.add (local.get $at) (i32.const 1)))
 *             (br_if $next (i32.and (local.get $h) (i32.const 0xfffff000)))
 *             (global.set $hash (local.get $h))
 *             (return (local.get $at))))
 *         (global.set $hash (local.get $h))
 *         (i32.const -1)))
 */
const assembled =
  "AGFzbQEAAAABBwFgAn9/AX8DAgEABQMBAAUGBgF/AUEACwcYAwZtZW1vcnkCAARoYXNoAwAEZmluZAAACkcBRQEBfyMAIQICQANAIAAgAU8NASAC" +
  "QQF0IAAtAIAIQQJ0KAIAaiECIABBAWohACACQYBgcQ0AIAIkACAADwsLIAIkAEF/Cw==";

/** Bytes are looked at in the module's own memory, so many at a time. */
const stepBytes = 256 * KiB;

/** What is used of it; the types of Node's own globals leave it out. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Exports };
};

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly hash: { value: number };
  readonly find: (at: number, to: number) => number;
}

interface GearModule extends Omit<Exports, "memory"> {
  readonly bytes: Uint8Array;
}

let opened: GearModule | "none" | undefined;

/** As findGearCut(): in WebAssembly, where one has it, which takes two thirds of the time. */
export function scanGear(gear: Gear, bytes: Uint8Array, from: number, to: number): number {
  opened ??= openGearModule();
  if (opened === "none") return findGearCut(gear, bytes, from, to);
  opened.hash.value = gear.hash;
  let end = -1;
  for (let at = from; at < to && end < 0; at += stepBytes) {
    const step = bytes.subarray(at, Math.min(at + stepBytes, to));
    opened.bytes.set(step);
    const found = opened.find(0, step.length);
    if (found >= 0) end = at + found;
  }
  gear.hash = opened.hash.value;
  return end;
}

/** "none" where there is no WebAssembly, or no room for its memory: the answers are the same. */
export function openGearModule(): GearModule | "none" {
  try {
    const module = new WebAssembly.Module(Buffer.from(assembled, "base64"));
    const { memory, hash, find } = new WebAssembly.Instance(module).exports;
    new Int32Array(memory.buffer).set(gearTable);
    return { bytes: new Uint8Array(memory.buffer, gearTable.byteLength), hash, find };
  } catch {
    return "none";
  }
}
