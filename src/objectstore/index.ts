export { openBucket } from "./bucket.ts";
export { caching } from "./caching.ts";
export { faulting, type Around, type ObjectCall } from "./faulting.ts";
export { limiting } from "./limiting.ts";
export { openLocalObjectStore, type LocalObjectStoreOptions } from "./local/open-local.ts";
export { openMemObjectStore } from "./mem/open-mem.ts";
export type { ObjectStat, ObjectStore, ObjectWriter } from "./object-store.ts";
export { openS3ObjectStore } from "./open-s3.ts";
export { retrying } from "./retrying.ts";
