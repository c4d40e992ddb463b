import { join } from "node:path";
import { sha256Hex } from "../base/hash.ts";
import { randomHex } from "../base/random.ts";
import type { Context } from "./context.ts";
import { isRunning, ownerOf } from "./owner.ts";

/** The daemon remembers a transfer that long. */
const keptMs = 24 * 3_600_000;

interface State {
  readonly transfer: string;
  readonly owner: string;
  readonly beganMicros: number;
}

/** A command that sends much. Typed again after it was broken off, it goes on where it was. */
export class TransferState {
  /** Names it to the daemon. */
  readonly transfer: string;
  readonly isResumed: boolean;
  private readonly context: Context;
  private readonly file: string | undefined;

  private constructor(
    context: Context,
    file: string | undefined,
    found: { transfer: string; isResumed: boolean },
  ) {
    this.context = context;
    this.file = file;
    this.transfer = found.transfer;
    this.isResumed = found.isResumed;
  }

  /** @param facts what makes two commands the same */
  static async open(context: Context, facts: readonly unknown[]): Promise<TransferState> {
    const { stateFolder, random, address } = context.deps;
    const fresh = { transfer: randomHex(random), isResumed: false };
    if (stateFolder === undefined) return new TransferState(context, undefined, fresh);
    const name = sha256Hex(Buffer.from(JSON.stringify([address ?? "", ...facts])));
    const file = join(stateFolder, "transfers", name);
    const state = await readState(context, file);
    if (state === undefined) return new TransferState(context, file, fresh);
    // The same command runs beside this one: both are meant.
    if (await isRunning(context.deps.fileSystem, state.owner))
      return new TransferState(context, undefined, fresh);
    return new TransferState(context, file, { transfer: state.transfer, isResumed: true });
  }

  /** Something is about to be sent. */
  async begin(): Promise<void> {
    if (this.file === undefined) return;
    const { fileSystem, clock } = this.context.deps;
    const state: State = {
      transfer: this.transfer,
      owner: (await ownerOf(fileSystem, "self")) ?? "",
      beganMicros: clock.nowMicros(),
    };
    try {
      await fileSystem.mkdir(join(this.file, ".."), { recursive: true, mode: 0o700 });
      await removeOld(this.context, join(this.file, ".."));
      await fileSystem.writeFile(this.file, JSON.stringify(state));
    } catch (error) {
      this.context.note(
        `This command cannot go on where it was when it is broken off: ${(error as Error).message}`,
      );
    }
  }

  /** All has happened: the same command means something new. */
  async end(): Promise<void> {
    if (this.file === undefined) return;
    await this.context.deps.fileSystem.rm(this.file, { force: true }).catch(() => undefined);
  }
}

async function readState({ deps }: Context, file: string): Promise<State | undefined> {
  try {
    const state = JSON.parse(await deps.fileSystem.readFile(file, "utf8")) as Partial<State>;
    const { transfer, owner, beganMicros } = state;
    if (typeof transfer !== "string" || typeof owner !== "string") return undefined;
    if (typeof beganMicros !== "number") return undefined;
    const isOld = beganMicros < deps.clock.nowMicros() - keptMs * 1_000;
    return isOld ? undefined : { transfer, owner, beganMicros };
  } catch {
    // There is none, or it was being written when the command was broken off.
    return undefined;
  }
}

async function removeOld({ deps }: Context, folder: string): Promise<void> {
  for (const name of await deps.fileSystem.readdir(folder)) {
    const file = join(folder, name);
    const { mtimeMs } = await deps.fileSystem.stat(file).catch(() => ({ mtimeMs: Infinity }));
    if (mtimeMs < deps.clock.nowMicros() / 1_000 - keptMs)
      await deps.fileSystem.rm(file, { force: true });
  }
}
