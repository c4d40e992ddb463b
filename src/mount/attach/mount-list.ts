/** How the kernel shows what is mounted by this program: anything else is left alone. */
export const mountType = "fuse.mammoth";

/** One mount of ours. */
export interface MountedAt {
  readonly point: string;
  /** Such as `pfs@127.0.0.1:30650`. */
  readonly source: string;
  /** Its number among file systems without a disk, such as `0:53`. */
  readonly device: string;
}

/** Our mounts, out of the text of `/proc/self/mountinfo`, in the order in which they were made. */
export function parseMountList(text: string): MountedAt[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , device = "", , point = ""] = before.split(" ");
    const [type, source = ""] = after.split(" ");
    if (type !== mountType) return [];
    return [{ point: unescape(point), source: unescape(source), device }];
  });
}

/** The kernel writes spaces and the like in octal. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
