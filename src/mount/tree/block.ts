import { KiB } from "../../base/size.ts";
import type { Content } from "./content.ts";

/** What is fetched and kept at a time: as much as a kernel reads ahead. */
export const blockBytes = 128 * KiB;

/** A part of a content that is in memory, or on its way. */
export interface Block {
  /** Readers that still look into it. */
  users: number;
  /** Shorter than it should be when the file has become so. */
  readonly bytes: Promise<Uint8Array>;
  readonly size: number;
  isThere: boolean;
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** Where blocks are kept. */
export interface Blocks {
  /** A block that is coming. */
  expect(key: string, size: number): Block;
  /** Memory for one. */
  memory(bytes: number): Uint8Array;
  /** One that will not come. */
  drop(key: string, block: Block): void;
}

export function keyOf(content: Content, index: number): string {
  return `${content.key}/${index}`;
}
