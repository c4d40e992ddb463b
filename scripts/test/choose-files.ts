/** Where tests are, slowest first, so that two workers end at about the same time. */
export const testFolders = ["test", "src", "scripts"] as const;

/**
 * The test files that the arguments choose: a file, a folder, or a part of a path. Without
 * arguments all of them. An argument that chooses nothing comes back in `unmatched`.
 */
export function chooseFiles(
  files: readonly string[],
  args: readonly string[],
): { chosen: string[]; unmatched: string[] } {
  const tests = files.filter((path) => path.endsWith(".test.ts"));
  if (args.length === 0) return { chosen: tests, unmatched: [] };
  const wanted = args.map((arg) => arg.replace(/^\.\//, ""));
  return {
    chosen: tests.filter((path) => wanted.some((part) => path.includes(part))),
    unmatched: wanted.filter((part) => !tests.some((path) => path.includes(part))),
  };
}
