export { listMounts, stateOf, detach, type AttachDeps } from "./attach/mount-point.ts";
export type { MountedAt } from "./attach/mount-list.ts";
export { openMount, type Mount, type MountOptions } from "./open-mount.ts";
