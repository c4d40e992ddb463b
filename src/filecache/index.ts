export {
  openFileCache,
  type CacheFs,
  type FileCache,
  type FileCacheOptions,
  type HeldFile,
} from "./file-cache.ts";
