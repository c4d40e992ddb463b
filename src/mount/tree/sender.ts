import { isCoded } from "../../base/errors.ts";
import { KiB, MiB } from "../../base/size.ts";
import { tarOf, type Client } from "../../client/index.ts";
import type { CommitName } from "../../model/commit.ts";
import { Refusal } from "../refusal.ts";
import { wholeOf, type DraftPart } from "./draft-part.ts";
import type { Remote } from "./remote.ts";

/** Up to this size a part is sent as one buffer, and whole files together with others. */
const smallBytesMax = 64 * KiB;
/** What one request carries at most. */
const groupMax = { files: 256, bytes: 4 * MiB } as const;
/** Requests of one line under way: with two, what 64 writers close would leave in groups half as large. */
const goingMax = 1;

const noSignal = new AbortController().signal;

interface Waiting {
  readonly path: string;
  readonly part: DraftPart;
  readonly sent: PromiseWithResolvers<void>;
}

/** Small files of one commit that are sent in the same way. */
interface Line {
  readonly commit: CommitName;
  readonly overwrite: boolean;
  readonly waiting: Waiting[];
  going: number;
}

/**
 * Sends what is written. A kernel closes many files at once, and each close waits until its file is durable: small
 * files that come while others are on their way leave together, in one atomic write.
 */
export class Sender {
  private readonly client: Client;
  private readonly remote: Remote;
  private readonly lines = new Map<string, Line>();

  constructor(deps: { client: Client; remote: Remote }) {
    this.client = deps.client;
    this.remote = deps.remote;
  }

  /**
   * Settles when the part is durable.
   *
   * @throws Refusal when it is not, or nobody knows
   */
  async send(commit: CommitName, path: string, part: DraftPart): Promise<void> {
    const isAlone = !part.isWhole || part.sizeBytes > smallBytesMax || !isTarName(path);
    if (isAlone) await this.sendOne(commit, path, part);
    else await this.sendInLine(commit, path, part);
  }

  private async sendOne(commit: CommitName, path: string, part: DraftPart): Promise<void> {
    const { sizeBytes, overwrite, key } = part;
    const body = sizeBytes > smallBytesMax ? () => part.bytes() : await wholeOf(part);
    const what = `write ${path} of ${commit.repo}/${commit.id}`;
    await this.remote.ask(what, noSignal, () =>
      this.client.files.put(commit, path, body, { overwrite, key }),
    );
  }

  private async sendInLine(commit: CommitName, path: string, part: DraftPart): Promise<void> {
    const name = `${commit.repo}/${commit.id} ${part.overwrite}`;
    const line = this.lines.get(name) ?? {
      commit,
      overwrite: part.overwrite,
      waiting: [],
      going: 0,
    };
    this.lines.set(name, line);
    const sent = Promise.withResolvers<void>();
    line.waiting.push({ path, part, sent });
    this.go(name, line);
    await sent.promise;
  }

  private go(name: string, line: Line): void {
    while (line.waiting.length > 0 && line.going < goingMax) {
      line.going++;
      void this.sendGroup(line, takeGroup(line)).finally(() => {
        line.going--;
        this.go(name, line);
        if (line.going === 0) this.lines.delete(name);
      });
    }
  }

  /** Never throws: each of the group is told. */
  private async sendGroup({ commit, overwrite }: Line, group: readonly Waiting[]): Promise<void> {
    if (group.length > 1) {
      try {
        await this.sendTogether(commit, overwrite, group);
        for (const { sent } of group) sent.resolve();
        return;
      } catch (error) {
        if (!isRefused(error)) {
          for (const { sent } of group) sent.reject(error);
          return;
        }
        // Nothing of it was written; only one of them may be at fault.
      }
    }
    await Promise.all(
      group.map(async ({ path, part, sent }) => {
        await this.sendOne(commit, path, part).then(sent.resolve, sent.reject);
      }),
    );
  }

  private async sendTogether(
    commit: CommitName,
    overwrite: boolean,
    group: readonly Waiting[],
  ): Promise<void> {
    const files = group.map(async ({ path, part }) => ({ path, content: await wholeOf(part) }));
    const tar = tarOf(await Promise.all(files));
    const { key } = group[0]!.part;
    const what = `write ${group.length} files of ${commit.repo}/${commit.id}`;
    await this.remote.ask(what, noSignal, () =>
      this.client.files.putTar(commit, "", tar, { overwrite, key }),
    );
  }
}

function takeGroup({ waiting }: Line): Waiting[] {
  let bytes = 0;
  let files = 0;
  for (const { part } of waiting) {
    bytes += part.sizeBytes;
    if (files > 0 && (files === groupMax.files || bytes > groupMax.bytes)) break;
    files++;
  }
  return waiting.splice(0, files);
}

/** The daemon has answered that it does not do it. */
function isRefused(error: unknown): boolean {
  const cause = error instanceof Refusal ? error.cause : error;
  return isCoded(cause, "failed_precondition") || isCoded(cause, "invalid_argument");
}

/** Names that a tar brings over as they are. */
function isTarName(path: string): boolean {
  return !path.includes("\uFFFD");
}
