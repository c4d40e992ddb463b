export { openMapReducePlanner } from "./open-planner.ts";
