import type { FileSystem } from "../base/file-system.ts";

/** A process by its number and its start, for numbers are used again; undefined where nobody tells. */
export async function ownerOf(fileSystem: FileSystem, pid: string): Promise<string | undefined> {
  try {
    const stat = await fileSystem.readFile(`/proc/${pid}/stat`, "utf8");
    const facts = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // Ended, though its parent has not heard of it yet.
    if (facts[0] === "Z" || facts[0] === "X") return undefined;
    // From the third field on: state, …; the 22nd is the start.
    return `${stat.split(" ", 1)[0]} ${facts[19]}`;
  } catch {
    return undefined;
  }
}

export async function isRunning(fileSystem: FileSystem, owner: string): Promise<boolean> {
  const pid = pidOf(owner);
  return /^\d+$/.test(pid) && (await ownerOf(fileSystem, pid)) === owner;
}

export function pidOf(owner: string): string {
  return owner.split(" ", 1)[0] ?? "";
}
