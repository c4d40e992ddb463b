import { formatBytes } from "../base/size.ts";
import type { CommitName } from "../model/commit.ts";
import type { FileInfo } from "../model/file.ts";
import { joinPath } from "../model/paths.ts";
import type { Context } from "./context.ts";
import { ago } from "./human-time.ts";
import type { Listing } from "./listing.ts";
import { printable } from "./table.ts";

/** `recurse`: directories show the size of all below them; `fast`: files without a size show none. */
export function fileListing(options: {
  readonly recurse: boolean;
  readonly fast: boolean;
}): Listing<FileInfo> {
  const hasSize = ({ type, sizeBytes }: FileInfo): boolean =>
    type === "dir" ? options.recurse : !(options.fast && sizeBytes === 0);
  return {
    header: ["NAME", "TYPE", "MODIFIED", "LAST_COMMIT_MODIFIED", "SIZE"],
    row: (file, { deps }) => [
      printable(`/${file.path}`),
      file.type,
      ago(file.modifiedMicros, deps.clock.nowMicros()),
      file.commitModified.id,
      hasSize(file) ? formatBytes(file.sizeBytes) : "-",
    ],
  };
}

/** A file or directory in words; spelling, double slash and spaces at line ends are the original's. */
export function fileText(file: FileInfo, commit: CommitName, { deps }: Context): string {
  const children = (file.children ?? [])
    .map((name) => ` ${printable(`/${joinPath(file.path, name)}`)} `)
    .join("");
  return [
    `Path: ${commit.repo}/${commit.id}//${printable(file.path)}`,
    `Type: ${file.type}`,
    `Modifed: ${ago(file.modifiedMicros, deps.clock.nowMicros())}`,
    `Size: ${formatBytes(file.sizeBytes)}`,
    `Commit Modified: ${file.commitModified.repo}/${file.commitModified.id}`,
    ...(children === "" ? [] : [`Children: ${children} `]),
    "",
  ].join("\n");
}
