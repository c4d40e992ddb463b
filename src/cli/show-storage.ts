import { formatBytes } from "../base/size.ts";
import type { StorageUse } from "../model/storage-use.ts";

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
