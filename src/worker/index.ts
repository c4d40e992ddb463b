export { keepRegistered } from "./keep-registered.ts";
export { openSlots, type Slots } from "./open-slots.ts";
export type { ViewDisplays } from "./lazy-views.ts";
export { openWorker, type Worker } from "./open-worker.ts";
export type { SecretSource } from "./stage-secrets.ts";
export type { WorkerFs, WorkerOptions } from "./worker-options.ts";
export type { ClaimedTask, TaskOutcome, ViewFile, ViewRef, WorkerHost } from "./worker-host.ts";
export { Places } from "./places.ts";
export { TaskFeed } from "./task-feed.ts";
