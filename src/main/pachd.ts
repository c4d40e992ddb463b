import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { codedErrorFrom, errorCodes } from "../base/errors.ts";
import { openLogger } from "./logger.ts";
import { pachdHelp, parsePachdConfig, type PachdConfig } from "./config.ts";
import type { Daemon } from "./open-daemon.ts";
import { stopSignal } from "./stop-signals.ts";
import { packageVersion } from "./version.ts";

/** Runs pachd; resolves with the exit code. */
async function main(): Promise<number> {
  let daemon: Daemon | undefined;
  let isTrusted = true;
  let drainMs = 0;
  try {
    if (process.argv[2] === "worker") {
      await (await import("./run-worker.ts")).runWorker(process.argv.slice(3));
      return 0;
    }
    const config = parsePachdConfig(process.argv.slice(2), process.env, {
      cpus: availableParallelism(),
      cwd: process.cwd(),
    });
    if (config === "help") return say(pachdHelp);
    if (config === "version") return say(`${packageVersion()}\n`);
    if (config.command === "recover")
      return say(await (await import("./recover.ts")).recover(config, openLogger(config.logLevel)));
    ({ drainMs } = config);
    daemon = await start(config);
    const death = await Promise.race([stopSignal(), daemon.died]);
    if (death?.details["trusted"] === 0) isTrusted = false;
    if (death !== undefined) throw death;
    return 0;
  } catch (error) {
    const coded = codedErrorFrom(error);
    process.stderr.write(`pachd: ${coded.message}\n`);
    if (
      coded.code === "internal" &&
      process.env["LOG_LEVEL"] === "debug" &&
      coded.cause instanceof Error
    )
      process.stderr.write(`${coded.cause.stack}\n`);
    return errorCodes[coded.code].exit;
  } finally {
    await daemon?.close(AbortSignal.timeout(drainMs));
    // SQLite would write back what it has, as if the disk had kept it.
    if (!isTrusted) process.kill(process.pid, "SIGKILL");
  }
}

async function start(config: PachdConfig): Promise<Daemon> {
  const log = openLogger(config.logLevel);
  const { openDaemon } = await import("./open-daemon.ts");
  const daemon = await openDaemon(config, {
    log,
    version: packageVersion(),
    session: randomBytes(16).toString("hex"),
  });
  process.stdout.write(
    `pachd ${packageVersion()} is ready at ${daemon.address} (root ${config.root})\n`,
  );
  return daemon;
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}

process.exitCode = await main();
// Nothing may keep a stopped daemon alive.
process.exit();
