export { mountAsUser } from "./attach/as-user.ts";
export {
  claimMountPoint,
  detach,
  listMounts,
  stateOf,
  type AttachDeps,
} from "./attach/mount-point.ts";
export type { MountedAt } from "./attach/mount-list.ts";
export { clearMounts, openViewMount, type ViewMount } from "./view/open-view-mount.ts";
export { openMount, type Mount, type MountOptions } from "./open-mount.ts";
