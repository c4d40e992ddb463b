import { freeMemory } from "./own-memory.ts";
import { encodeBlock, type StoredBlock } from "./block-codec.ts";
import { keyOf, type KeyRules } from "./key-rules.ts";
import { type BlockInfo, encodeFooter, firstKeyBytesMax, runMagic } from "./run-format.ts";
import type { RunFile } from "./run-folder.ts";

/** A run that is complete on disk. */
export interface Run {
  readonly path: string;
  /** Of the file. */
  readonly bytes: number;
  readonly records: number;
  /** Of its lines. */
  readonly plainBytes: number;
}

/** So many blocks are compressed while another one is written. */
const compressingMax = 2;

interface Compressing {
  readonly plain: Buffer;
  readonly records: number;
  readonly stored: Promise<StoredBlock>;
}

/** Writes one run, block by block. Lines must come in order: that is not looked at here. */
export class RunWriter {
  private readonly file: RunFile;
  private readonly rules: KeyRules;
  private readonly blocks: BlockInfo[] = [];
  private readonly compressing: Compressing[] = [];

  constructor(file: RunFile, rules: KeyRules) {
    this.file = file;
    this.rules = rules;
  }

  /** Takes whole lines, and their memory. */
  async append(plain: Buffer, records: number): Promise<void> {
    const stored = encodeBlock(plain);
    // Awaited later; until then nobody would hear of a failure.
    stored.catch(() => undefined);
    this.compressing.push({ plain, records, stored });
    while (this.compressing.length > compressingMax) await this.writeFirst();
  }

  /** Writes what is left, and the index. */
  async finish(): Promise<Run> {
    while (this.compressing.length > 0) await this.writeFirst();
    if (this.file.bytes === 0) await this.file.write(runMagic);
    await this.file.write(encodeFooter(this.rules, this.blocks));
    await this.file.close();
    return {
      path: this.file.path,
      bytes: this.file.bytes,
      records: this.blocks.reduce((sum, block) => sum + block.records, 0),
      plainBytes: this.blocks.reduce((sum, block) => sum + block.plainBytes, 0),
    };
  }

  /** Gives up; the file stays as it is. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.compressing.map(({ stored }) => stored));
    await this.file.close();
  }

  private async writeFirst(): Promise<void> {
    const { plain, records, stored } = this.compressing[0]!;
    const { bytes, codec, crc } = await stored;
    if (this.file.bytes === 0) await this.file.write(runMagic);
    const key = keyOf(plain.subarray(0, plain.indexOf("\n") + 1), this.rules);
    this.blocks.push({
      start: this.file.bytes,
      storedBytes: bytes.length,
      plainBytes: plain.length,
      records,
      codec,
      crc,
      firstKey: Buffer.from(key.subarray(0, firstKeyBytesMax)),
      keyIsCut: key.length > firstKeyBytesMax,
    });
    await this.file.write(bytes);
    this.compressing.shift();
    freeMemory(plain);
    freeMemory(bytes);
  }
}
