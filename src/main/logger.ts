import { pino } from "pino";
import pretty from "pino-pretty";
import type { Log } from "../base/log.ts";

/** JSON lines on standard error, or readable ones when a person looks. Standard output stays for the ready line. */
export function openLogger(level: string): Log {
  if (process.stderr.isTTY)
    return pino(
      { level },
      pretty({ destination: 2, colorize: true, sync: true, ignore: "pid,hostname" }),
    );
  return pino({ level, base: { pid: process.pid } }, pino.destination({ fd: 2, sync: true }));
}
