import { formatBytes } from "../base/size.ts";
import type { CommitUse, StorageUse } from "../model/storage-use.ts";
import type { Listing } from "./listing.ts";
import { printable } from "./table.ts";

export const storageListing: Listing<CommitUse> = {
  header: ["REPO/ID", "LOGICAL", "UNIQUE", "SHARED", "FREED ALONE"],
  row: ({ commit: { repo, id }, logicalBytes, uniqueBytes, sharedBytes, uniqueStoredBytes }) => [
    printable(`${repo}/${id}`),
    ...[logicalBytes, uniqueBytes, sharedBytes, uniqueStoredBytes].map(formatBytes),
  ],
};

/** What content takes in the store, in words. */
export function storageText(use: StorageUse): string {
  const { logicalBytes, uniqueBytes, sharedBytes, storedBytes, uniqueStoredBytes } = use;
  return [
    `Logical: ${formatBytes(logicalBytes)}`,
    `Unique: ${formatBytes(uniqueBytes)} (stored in ${formatBytes(uniqueStoredBytes)})`,
    `Shared: ${formatBytes(sharedBytes)} (stored in ${formatBytes(storedBytes - uniqueStoredBytes)})`,
    "",
  ].join("\n");
}
