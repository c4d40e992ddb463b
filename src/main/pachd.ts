import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { codedErrorFrom, errorCodes } from "../base/errors.ts";
import { openDaemon, type Daemon } from "./open-daemon.ts";
import { recover } from "./recover.ts";
import { openLogger } from "./logger.ts";
import { pachdHelp, parsePachdConfig, type PachdConfig } from "./config.ts";
import { packageVersion } from "./version.ts";

/** Requests under way and running commands get this long to end after SIGTERM. */
const graceMs = 10_000;

/** Runs pachd; resolves with the exit code. */
async function main(): Promise<number> {
  let daemon: Daemon | undefined;
  let isTrusted = true;
  try {
    const config = parsePachdConfig(process.argv.slice(2), process.env, {
      cpus: availableParallelism(),
      cwd: process.cwd(),
    });
    if (config === "help") return say(pachdHelp);
    if (config === "version") return say(`${packageVersion()}\n`);
    if (config.command === "recover")
      return say(await recover(config, openLogger(config.logLevel)));
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
    await daemon?.close(AbortSignal.timeout(graceMs));
    // SQLite would write back what it has, as if the disk had kept it.
    if (!isTrusted) process.kill(process.pid, "SIGKILL");
  }
}

async function start(config: PachdConfig): Promise<Daemon> {
  const log = openLogger(config.logLevel);
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

async function stopSignal(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      process.once(signal, () => {
        resolve();
      });
  });
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}

process.exitCode = await main();
// Nothing may keep a stopped daemon alive.
process.exit();
