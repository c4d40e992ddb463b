export type { ObjectStat, ObjectStore, ObjectWriter } from "./object-store.ts";
export { openLocalObjectStore, type LocalObjectStoreOptions } from "./local/open-local.ts";
export { openMemObjectStore } from "./mem/open-mem.ts";
