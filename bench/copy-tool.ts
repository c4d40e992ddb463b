import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestDaemon } from "../test/e2e/testing/daemon.ts";
import { sendFile } from "./http.ts";
import { runOk } from "./programs.ts";
import type { Sink } from "./sink.ts";

/** A program that keeps copies of files or folders. Sources are named by their absolute path. */
export interface CopyTool {
  readonly name: string;
  /** Makes a place of its own for copies: once, not timed. */
  prepare(): Promise<void>;
  /** Stores a file or a folder durably as the newest copy. */
  save(source: string): Promise<void>;
  /** The same where the last copy is of the same source, of which it may store only what differs. */
  saveAgain?(source: string): Promise<void>;
  /** Writes the newest copy into an empty folder. */
  restore?(source: string, target: string): Promise<void>;
  /** Where its copies are, for those that store what is alike once. */
  readonly storage?: string;
}

const run = promisify(execFile);

/**
 * Mammoth by its command line: a commit for each copy.
 *
 * @param flags of the first copy, and of those that store all again
 */
export function mammothTool(
  daemon: TestDaemon,
  repo: string,
  flags: readonly string[] = ["-r", "--overwrite"],
): CopyTool {
  const put = async (source: string, how: readonly string[]): Promise<void> => {
    await daemon.ok(["put-file", repo, "master", "copy", "-c", ...how, "-f", source]);
  };
  return {
    name: "mammoth",
    storage: join(daemon.root, "store", "objects"),
    prepare: () => daemon.ok(["create-repo", repo]).then(() => undefined),
    save: (source) => put(source, flags),
    saveAgain: (source) => put(source, ["-r", "--sync"]),
    restore: async (_, target) => {
      await daemon.ok(["get-file", repo, "master", "copy", "-r", "-o", join(target, "copy")]);
    },
  };
}

/** restic with a repository in a local folder. */
export function resticTool(folder: string): CopyTool {
  const storage = join(folder, "restic");
  const env = { ...process.env, RESTIC_PASSWORD: "bench", RESTIC_REPOSITORY: storage };
  const cache = ["--cache-dir", join(folder, "restic-cache"), "--quiet"];
  const save = async (source: string): Promise<void> => {
    await run("restic", [...cache, "backup", source], { env });
  };
  return {
    name: "restic",
    storage,
    prepare: () => run("restic", [...cache, "init"], { env }).then(() => undefined),
    save,
    saveAgain: save,
    restore: async (_, target) => {
      await run("restic", [...cache, "restore", "latest", "--target", target], { env });
    },
  };
}

/** borg without encryption, with lz4, its default. */
export function borgTool(folder: string): CopyTool {
  const storage = join(folder, "borg");
  const env = { ...process.env, BORG_REPO: storage, BORG_BASE_DIR: join(folder, "borg-base") };
  let copies = 0;
  const save = async (source: string): Promise<void> => {
    await run("borg", ["create", `::${++copies}`, source], { env });
  };
  return {
    name: "borg",
    storage,
    prepare: () => run("borg", ["init", "--encryption", "none"], { env }).then(() => undefined),
    save,
    saveAgain: save,
    restore: async (_, target) => {
      await run("borg", ["extract", `::${copies}`], { env, cwd: target });
    },
  };
}

/** `git add` of a folder into a repository beside it. */
export function gitTool(folder: string): CopyTool {
  const repository = join(folder, "git");
  const git = async (source: string, args: readonly string[]): Promise<void> => {
    await runOk("git", [`--git-dir=${repository}`, `--work-tree=${source}`, ...args]);
  };
  return {
    name: "git add",
    storage: repository,
    prepare: () => runOk("git", ["init", "--quiet", "--bare", repository]),
    save: (source) => git(source, ["add", "--all", "--force", "."]),
  };
}

/** `cp -r`, and with `sync` until the disk has it. */
export function cpTool(folder: string): CopyTool {
  const copies = join(folder, "cp");
  let count = 0;
  const copy = (from: string, to: string): Promise<void> =>
    runOk("sh", ["-c", 'cp -r "$0" "$1" && sync -f "$1"', from, to]);
  return {
    name: "cp -r + sync",
    prepare: async () => {
      mkdirSync(copies);
    },
    save: (source) => copy(source, join(copies, String(++count))),
    restore: (_, target) => copy(join(copies, String(count)), join(target, "copy")),
  };
}

/** `tar` into a file, until the disk has it. */
export function tarTool(folder: string): CopyTool {
  const archive = join(folder, "copy.tar");
  return {
    name: "tar + sync",
    prepare: async () => undefined,
    save: (source) => runOk("sh", ["-c", 'tar -cPf "$1" "$0" && sync "$1"', source, archive]),
  };
}

/** A bare HTTP server that hashes: the limit of programs that get their bytes this way. */
export function sinkTool(sink: Sink): CopyTool {
  return {
    name: "bare HTTP + SHA-256",
    prepare: async () => undefined,
    save: (source) => sendFile(`${sink.url}/hash`, source),
  };
}
