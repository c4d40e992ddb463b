import type { Duplex } from "node:stream";
import { KiB } from "../../base/size.ts";
import { isCoded } from "../../base/errors.ts";
import type { PfsMount, RunOptions, RunOutcome, RunSpec } from "../runner.ts";
import { addressOf } from "./container-address.ts";
import { containerOptions, variablesFor, type ContainerDefaults } from "./container-options.ts";
import type { ContainerOptions, DockerEngine, LocalImage } from "./docker-engine.ts";
import { whyRefused } from "./why-refused.ts";

/** A command and a container of its own for it. */
export interface OneRun {
  readonly spec: RunSpec;
  readonly image: LocalImage;
  /** Host directory with an empty directory for each mount: `/pfs` itself, in which nothing can be made. */
  readonly pfs: string;
}

/** Runs a command as the first process of a container that is removed afterwards. Needs no shell. */
export async function runOnce(
  { engine, defaults }: { engine: DockerEngine; defaults: ContainerDefaults },
  { spec, image, pfs }: OneRun,
  options: RunOptions,
): Promise<RunOutcome> {
  const { signal } = options;
  signal.throwIfAborted();
  const id = await engine.create(optionsOf(defaults, { spec, image, pfs }));
  const remove = async (): Promise<void> => await engine.remove(id);
  const removeNow = (): void => void remove().catch(() => undefined);
  signal.addEventListener("abort", removeNow, { once: true });
  try {
    const stream = await engine.attach(id);
    // It breaks when the container ends, and when it does not want all of its input.
    stream.on("error", () => undefined);
    await engine.start(id);
    await tellAddress(engine, { id, spec }, options.reachable);
    await converse(stream, spec, options);
    const exitCode = await engine.wait(id);
    if (exitCode !== 0 && (await engine.inspect(id)).outOfMemory) return { kind: "out_of_memory" };
    return { kind: "exited", exitCode };
  } catch (error) {
    signal.throwIfAborted();
    const reason = isCoded(error) ? whyRefused(error, spec) : undefined;
    if (reason === undefined) throw error;
    return { kind: "not_started", reason };
  } finally {
    signal.removeEventListener("abort", removeNow);
    await remove();
    signal.throwIfAborted();
  }
}

/** Hands on what comes until the container ends, and gives it its input meanwhile. */
async function converse(
  stream: Duplex,
  spec: RunSpec,
  { output, piped }: RunOptions,
): Promise<void> {
  const ended = new AbortController();
  let failed: { readonly error: unknown } | undefined;
  const fed =
    piped === undefined
      ? void stream.end(spec.stdin)
      : feed(stream, piped.stdin(ended.signal), ended.signal).catch((error: unknown) => {
          failed = { error };
          stream.destroy();
        });
  try {
    for await (const { payload, isError } of payloadsOf(stream))
      await (isError || piped === undefined ? output(payload) : piped.stdout(payload));
  } finally {
    ended.abort();
    stream.destroy();
    await fed;
  }
  if (failed !== undefined) throw failed.error;
}

async function feed(
  stream: Duplex,
  source: AsyncIterable<Uint8Array>,
  ended: AbortSignal,
): Promise<void> {
  try {
    for await (const piece of source) {
      if (ended.aborted) return;
      await new Promise<void>((resolve) => stream.write(piece, () => resolve()));
    }
    stream.end();
  } catch (error) {
    if (!ended.aborted) throw error;
  }
}

/** Says where the server in a container is to be reached, if it is one. */
export async function tellAddress(
  engine: DockerEngine,
  { id, spec }: { id: string; spec: RunSpec },
  reachable: RunOptions["reachable"],
): Promise<void> {
  if (spec.server === undefined || reachable === undefined) return;
  const address = addressOf(spec, await engine.inspect(id));
  if (address !== undefined) reachable(address);
}

function optionsOf(defaults: ContainerDefaults, { spec, image, pfs }: OneRun): ContainerOptions {
  const common = containerOptions(defaults, spec, image);
  return {
    ...common,
    ...commandOf(spec),
    Env: variablesFor(spec, image),
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    HostConfig: {
      ...common.HostConfig,
      Mounts: [
        { Type: "bind", Source: pfs, Target: "/pfs", ReadOnly: true },
        ...spec.mounts.map((mount) => bindOf(mount)),
        ...(spec.secrets ?? []).map(({ path, hostPath }) => ({
          Type: "bind" as const,
          Source: hostPath,
          Target: path,
          ReadOnly: true,
        })),
      ],
    },
  };
}

/** What is left out is that of the image. */
function commandOf({ cmd, isImageCommand = false }: RunSpec): Partial<ContainerOptions> {
  if (!isImageCommand) return { Entrypoint: cmd.slice(0, 1), Cmd: cmd.slice(1) };
  return cmd.length === 0 ? {} : { Cmd: [...cmd] };
}

function bindOf({ name, hostPath, writable }: PfsMount): {
  Type: "bind";
  Source: string;
  Target: string;
  ReadOnly: boolean;
} {
  return { Type: "bind", Source: hostPath, Target: `/pfs/${name}`, ReadOnly: !writable };
}

const headerBytes = 8;
const errorStream = 2;
const pieceBytesMax = 64 * KiB;

/** What the streams carried, as it came: frames of a header (stream, length) and a payload. */
export async function* payloadsOf(
  stream: AsyncIterable<unknown>,
): AsyncGenerator<{ payload: Uint8Array; isError: boolean }> {
  let header = Buffer.alloc(0);
  let left = 0;
  let isError = false;
  for await (const read of untilBroken(stream)) {
    let piece = read;
    while (piece.length > 0) {
      if (left === 0) {
        const taken = piece.subarray(0, headerBytes - header.length);
        header = Buffer.concat([header, taken]);
        piece = piece.subarray(taken.length);
        if (header.length < headerBytes) continue;
        left = header.readUInt32BE(4);
        isError = header[0] === errorStream;
        header = Buffer.alloc(0);
        continue;
      }
      const payload = piece.subarray(0, Math.min(left, pieceBytesMax));
      yield { payload, isError };
      left -= payload.length;
      piece = piece.subarray(payload.length);
    }
  }
}

/** A connection that breaks ends: what became of the command is asked for afterwards. */
async function* untilBroken(stream: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  const pieces = stream[Symbol.asyncIterator]();
  for (;;) {
    const next = await pieces.next().catch(() => ({ done: true, value: undefined }));
    if (next.done === true) return;
    yield next.value as Buffer;
  }
}
