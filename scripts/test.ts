import { finished } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { filesUnder, root } from "./checkout.ts";
import { startServices } from "./services/all.ts";
import { chooseFiles, testFolders } from "./test/choose-files.ts";
import { Summary } from "./test/summary.ts";

// npm test [-- PART-OF-A-PATH...] [--name=PATTERN]: runs the tests with node's own runner.
// With MAMMOTH_TEST_SERVICES=install the real services are installed and started first, and a test
// that is skipped then is a failure.

const fileTimeoutMs = 5 * 60_000;

async function main(args: readonly string[]): Promise<number> {
  const names = args
    .filter((arg) => arg.startsWith("--name="))
    .map((arg) => arg.slice("--name=".length));
  const parts = args.filter((arg) => !arg.startsWith("--name="));
  const unknown = parts.find((part) => part.startsWith("-"));
  if (unknown !== undefined)
    return usage(`unknown option ${unknown}: there is only --name=PATTERN`);
  const { chosen, unmatched } = chooseFiles(
    testFolders.flatMap((folder) => filesUnder([folder])),
    parts,
  );
  if (unmatched.length > 0)
    return usage(`no test file has "${unmatched.join('" or "')}" in its path`);
  if (chosen.length === 0) return usage("there are no test files");

  const install = process.env["MAMMOTH_TEST_SERVICES"] === "install";
  const services = install
    ? await startServices((line) => console.log(`services: ${line}`))
    : undefined;
  try {
    return await runFiles(chosen, { names, env: services?.env ?? {}, skipFails: install });
  } finally {
    await services?.stop();
  }
}

function usage(message: string): number {
  console.error(`npm test: ${message}`);
  return 2;
}

interface RunOptions {
  readonly names: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly skipFails: boolean;
}

async function runFiles(
  files: readonly string[],
  { names, env, skipFails }: RunOptions,
): Promise<number> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => {
    interrupted.abort();
  });
  const events = run({
    files: files.map((file) => `${root}/${file}`),
    cwd: root,
    concurrency: 2,
    timeout: fileTimeoutMs,
    signal: interrupted.signal,
    env: { ...process.env, ...env },
    execArgv: ["--disable-warning=ExperimentalWarning"],
    ...(names.length === 0 ? {} : { testNamePatterns: [...names] }),
  });
  const summary = new Summary();
  let failed = false;
  const report = new spec();
  const shown = finished(report);
  report.pipe(process.stdout, { end: false });
  for await (const event of events) {
    if (event.type === "test:fail") failed = true;
    if (!summary.note(event)) report.write(event);
  }
  report.end();
  await shown;
  const skipFailed = skipFails && summary.skipped > 0;
  if (skipFailed) {
    console.log("A skip is a failure here: MAMMOTH_TEST_SERVICES=install promises every service");
  }
  for (const line of summary.lines()) console.log(line);
  return failed || skipFailed ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
