import { systemClock } from "../../../base/clock.ts";
import { silentLog } from "../../../base/log.ts";
import { Remote } from "../remote.ts";

/** How calls end in tests: none is made again. */
export function openTestRemote(): Remote {
  return new Remote({ clock: systemClock(), log: silentLog, patienceMs: 0 });
}
