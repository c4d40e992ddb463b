export type { Dispatcher } from "./dispatcher.ts";
export { openGearmanDispatcher, type GearmanOptions } from "./gearman/open-gearman.ts";
