import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { probeNamespaces } from "../src/runner/index.ts";
import { root } from "./checkout.ts";
import { startDaemon, type Daemon } from "./demo/daemon.ts";
import { playFruitStand } from "./demo/fruit-stand.ts";
import { showTotals } from "./demo/sales.ts";
import { Terminal } from "./demo/terminal.ts";

// npm run demo [-- --keep]: the fruit-stand tutorial on a throw-away daemon, with the real commands.
// --keep leaves the daemon and its data for you to play with.

const options = process.argv.slice(2);
const keep = options.includes("--keep");
const unknown = options.find((option) => option !== "--keep");
if (unknown !== undefined) {
  console.error(`npm run demo: unknown option ${unknown}: there is only --keep`);
  process.exit(2);
}

/** What the daemon needs to be told on this machine. */
async function sandboxArgs(): Promise<string[]> {
  const { works, reason } = await probeNamespaces();
  if (works) return [];
  console.log(`WARNING: this machine refuses namespaces (${reason}).`);
  console.log("WARNING: the demo runs its commands WITHOUT A SANDBOX (pachd --no-sandbox).");
  return ["--no-sandbox"];
}

async function main(signal: AbortSignal): Promise<void> {
  const startedMs = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "mammoth-demo-"));
  let daemon: Daemon | undefined;
  let kept = false;
  try {
    const data = join(folder, "root");
    const args = ["--root", data, ...(await sandboxArgs())];
    daemon = await startDaemon({
      program: `${root}/bin/pachd`,
      args,
      logFile: join(folder, "pachd.log"),
      signal,
    });
    console.log(`# A throw-away daemon listens at ${daemon.address}, its data in ${data}.`);
    const env = {
      ...process.env,
      ADDRESS: daemon.address,
      PATH: `${root}/bin:${process.env["PATH"] ?? ""}`,
    };
    const terminal = new Terminal({ env, cwd: root, signal });
    const totals = await playFruitStand(terminal, folder);
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    console.log(
      `\nThe totals are right (${showTotals(totals)}): ${terminal.commands} commands in ${seconds} s.`,
    );
    kept = keep;
    if (keep) sayKept(daemon, data);
    else sayNext();
  } finally {
    if (kept) daemon?.leave();
    else {
      await daemon?.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

function sayNext(): void {
  console.log(`\nThe daemon is stopped and its data removed. Now yours:\n`);
  console.log(`  export PATH="${root}/bin:$PATH"`);
  console.log(`  pachd --root ~/mammoth &`);
  console.log(`  pachctl create-repo data`);
  console.log(`  pachctl put-file data master README.md -c -f README.md`);
}

function sayKept(daemon: Daemon, data: string): void {
  console.log(
    `\nThe daemon stays: address ${daemon.address}, pid ${daemon.pid}, root ${data}. Go on with\n`,
  );
  console.log(`  export PATH="${root}/bin:$PATH" ADDRESS=${daemon.address}`);
  console.log(`  pachctl list-repo`);
  console.log(`  pachctl inspect-pipeline sum`);
  console.log(`  kill ${daemon.pid}    # when you are done`);
}

const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(name, () => {
    interrupted.abort();
  });
}
try {
  await main(interrupted.signal);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  console.error(
    interrupted.signal.aborted
      ? "\nInterrupted: everything is stopped"
      : `\nThe demo failed: ${message}`,
  );
  process.exitCode = 1;
}
