import { strict as assert } from "node:assert";
import { resolve } from "node:path";
import type { DiskChange, DiskEvent, DiskLog } from "./disk-log.ts";

const calls = [
  "openat,write,pwrite64,writev,fsync,fdatasync,ftruncate",
  "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat",
].join();

/** How strace is called so that `readStraceLog` can read what it writes: every byte, as hexadecimal digits. */
export const straceArgs = ["-f", "-y", "-xx", "-s", "20000000", "-e", `trace=${calls}`];

interface Call {
  readonly name: string;
  readonly args: string;
  readonly result: number;
  readonly start: number;
  readonly end: number;
}

/** What the log of a program says about files below a folder, and about HTTP answers. */
export function readStraceLog(text: string, folder: string): DiskLog {
  const positions = new Map<number, number>();
  const events: DiskEvent[] = [];
  const answers: number[] = [];
  for (const call of callsOf(text)) {
    if (call.result < 0) continue;
    if (isAnswer(call)) answers.push(call.start);
    for (const change of changesOf(call, positions))
      if (change.path === folder || change.path.startsWith(`${folder}/`))
        events.push({ change, start: call.start, end: call.end });
  }
  return { events, answers };
}

/** Calls in the order in which they ended. */
function* callsOf(text: string): Generator<Call, void, void> {
  const unfinished = new Map<string, { name: string; args: string; start: number }>();
  for (const [at, line] of text.split("\n").entries()) {
    const [, pid, rest] = /^(\d+) +(.*)$/s.exec(line) ?? [];
    if (pid === undefined || rest === undefined) continue;
    if (rest.endsWith(" <unfinished ...>")) {
      const open = rest.indexOf("(");
      const args = rest.slice(open + 1, -" <unfinished ...>".length);
      unfinished.set(pid, { name: rest.slice(0, open), args, start: at });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(rest)?.[0];
    const begun = resumed === undefined ? undefined : unfinished.get(pid);
    if (resumed !== undefined && begun === undefined) continue;
    const open = rest.indexOf("(");
    const { name, args, start } = begun ?? { name: rest.slice(0, open), args: "", start: at };
    const whole =
      args + (resumed === undefined ? rest.slice(open + 1) : rest.slice(resumed.length));
    const close = whole.lastIndexOf(") ");
    const result = /= (-?\d+)/.exec(whole.slice(close))?.[1];
    if (result === undefined) continue;
    yield { name, args: whole.slice(0, close), result: Number(result), start, end: at };
  }
}

function isAnswer({ name, args }: Call): boolean {
  if (name !== "write" && name !== "writev") return false;
  return (
    pathOf(args).startsWith("socket:") && textsOf(args)[0]?.toString("latin1", 0, 7) === "HTTP/1."
  );
}

function* changesOf(
  { name, args, result }: Call,
  positions: Map<number, number>,
): Generator<DiskChange, void, void> {
  switch (name) {
    case "openat": {
      positions.set(result, 0);
      const path = namesOf(args)[0]!;
      if (args.includes("O_CREAT")) yield { kind: "create", path };
      if (args.includes("O_TRUNC")) yield { kind: "truncate", path, length: 0 };
      return;
    }
    case "write":
    case "writev":
    case "pwrite64": {
      const fd = Number.parseInt(args, 10);
      const isPlaced = name === "pwrite64";
      const offset = isPlaced ? Number(args.slice(args.lastIndexOf(",") + 1)) : positions.get(fd);
      if (!isPlaced) positions.set(fd, (offset ?? 0) + result);
      const path = pathOf(args);
      if (!path.startsWith("/")) return;
      assert.ok(offset !== undefined, `where ${path} is written is not known`);
      yield {
        kind: "write",
        path,
        offset,
        bytes: Buffer.concat(textsOf(args)).subarray(0, result),
      };
      return;
    }
    case "ftruncate":
      yield {
        kind: "truncate",
        path: pathOf(args),
        length: Number(args.slice(args.lastIndexOf(",") + 1)),
      };
      return;
    case "fsync":
    case "fdatasync":
      yield { kind: "sync", path: pathOf(args) };
      return;
    default: {
      const [path, to] = namesOf(args);
      if (name.startsWith("rename")) yield { kind: "rename", path: path!, to: to! };
      else if (name.startsWith("unlink")) yield { kind: "unlink", path: path! };
      else yield { kind: "mkdir", path: path! };
    }
  }
}

/** The file behind the descriptor that comes first. */
function pathOf(args: string): string {
  return bytesOf(/^\d+<([^>]*)>/.exec(args)?.[1] ?? "").toString();
}

function namesOf(args: string): string[] {
  return textsOf(args).map((name) => resolve(name.toString()));
}

function textsOf(args: string): Buffer[] {
  return [...args.matchAll(/"([^"]*)"/g)].map(([, text]) => bytesOf(text!));
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text.replaceAll("\\x", ""), "hex");
}
