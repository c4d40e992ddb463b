import { freeMemory } from "./own-memory.ts";
import type { StoredBlock } from "./block-codec.ts";
import type { LineBlock } from "./line-block.ts";
import { keyOf, type KeyRules } from "./key-rules.ts";
import { type BlockInfo, encodeFooter, firstKeyBytesMax, runMagic } from "./run-format.ts";
import type { RunFile, RunFolder } from "./run-folder.ts";
import type { BlockCodec } from "./shuffle-compute.ts";

/** A run that is complete on disk. */
export interface Run {
  readonly path: string;
  /** Of the file. */
  readonly bytes: number;
  readonly records: number;
  /** Of its lines, each as often as it comes. */
  readonly fullBytes: number;
}

/** So many blocks are compressed while another one is written. */
const compressingMax = 2;

interface Compressing {
  readonly plainBytes: number;
  readonly linesBytes: number;
  readonly records: number;
  readonly fullBytes: number;
  readonly firstKey: Buffer;
  readonly keyIsCut: boolean;
  readonly stored: Promise<StoredBlock>;
}

/** Writes one run, block by block. Lines must come in order: that is not looked at here. */
class RunWriter {
  private readonly file: RunFile;
  private readonly rules: KeyRules;
  private readonly codec: BlockCodec;
  private readonly blocks: BlockInfo[] = [];
  private readonly compressing: Compressing[] = [];

  constructor(file: RunFile, rules: KeyRules, codec: BlockCodec) {
    this.file = file;
    this.rules = rules;
    this.codec = codec;
  }

  /** Takes lines, and their memory. */
  async append({ bytes: plain, linesEnd, records, fullBytes }: LineBlock): Promise<void> {
    const key = keyOf(plain.subarray(0, plain.indexOf("\n") + 1), this.rules);
    const firstKey = Buffer.from(key.subarray(0, firstKeyBytesMax));
    const keyIsCut = key.length > firstKeyBytesMax;
    const plainBytes = plain.length;
    const stored = this.codec.encode(plain);
    // Awaited later; until then nobody would hear of a failure.
    stored.catch(() => undefined);
    const described = { plainBytes, linesBytes: linesEnd, records, fullBytes, firstKey, keyIsCut };
    this.compressing.push({ ...described, stored });
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
      fullBytes: this.blocks.reduce((sum, block) => sum + block.fullBytes, 0),
    };
  }

  /** Gives up; the file stays as it is. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.compressing.map(({ stored }) => stored));
    await this.file.close();
  }

  private async writeFirst(): Promise<void> {
    const { stored, ...described } = this.compressing[0]!;
    const { bytes, codec, crc } = await stored;
    if (this.file.bytes === 0) await this.file.write(runMagic);
    const start = this.file.bytes;
    this.blocks.push({ ...described, start, storedBytes: bytes.length, codec, crc });
    await this.file.write(bytes);
    this.compressing.shift();
    freeMemory(bytes);
  }
}

/** Writes blocks that come in order to a new run. */
export async function writeRun(
  blocks: AsyncIterable<LineBlock>,
  rules: KeyRules,
  folder: RunFolder,
  codec: BlockCodec,
): Promise<Run> {
  const writer = new RunWriter(await folder.create(), rules, codec);
  try {
    for await (const block of blocks) await writer.append(block);
    return await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}
