import { finished } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { parseArgs } from "node:util";
import { filesUnder, root } from "./checkout.ts";
import type { RunningService } from "./services/service.ts";
import { chooseFiles, testFolders } from "./test/choose-files.ts";
import { Summary } from "./test/summary.ts";

// npm test [-- PART-OF-A-PATH...] [--name=PATTERN] [--timeout-s=N]: runs the tests with node's own
// runner; a test that takes longer than N seconds (default 300) has failed.
// With MAMMOTH_TEST_SERVICES=install the real services are installed and started first, and a test
// that is skipped then is a failure.

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals, problem } = parse(args);
  if (problem !== undefined) return usage(problem);
  const timeoutMs = Number(values["timeout-s"]) * 1_000;
  if (!(timeoutMs > 0))
    return usage(`--timeout-s=${values["timeout-s"]}: give a number of seconds`);
  const files = testFolders.flatMap((folder) => filesUnder([folder]));
  const { chosen, unmatched } = chooseFiles(files, positionals);
  if (unmatched.length > 0)
    return usage(`no test file has "${unmatched.join('" or "')}" in its path`);
  if (chosen.length === 0) return usage("there are no test files");

  const install = process.env["MAMMOTH_TEST_SERVICES"] === "install";
  const services = install ? await startAll() : undefined;
  try {
    const env = services?.env ?? {};
    return await runFiles(chosen, { names: values.name, timeoutMs, env, skipFails: install });
  } finally {
    await services?.stop();
  }
}

/** Loaded only when asked for: a machine without the services runs the tests as well. */
async function startAll(): Promise<RunningService> {
  const { startServices } = await import("./services/all.ts");
  return await startServices((line) => console.log(`services: ${line}`));
}

interface Options {
  readonly values: { readonly name: readonly string[]; readonly "timeout-s": string };
  readonly positionals: readonly string[];
  readonly problem?: string;
}

function parse(args: readonly string[]): Options {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        name: { type: "string", multiple: true, default: [] },
        "timeout-s": { type: "string", default: "300" },
      },
    });
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { values: { name: [], "timeout-s": "" }, positionals: [], problem };
  }
}

function usage(message: string): number {
  console.error(`npm test: ${message}`);
  return 2;
}

interface RunOptions {
  readonly names: readonly string[];
  readonly timeoutMs: number;
  readonly env: Readonly<Record<string, string>>;
  readonly skipFails: boolean;
}

async function runFiles(files: readonly string[], options: RunOptions): Promise<number> {
  const { names, env, skipFails } = options;
  const interrupted = new AbortController();
  process.once("SIGINT", () => {
    interrupted.abort();
  });
  const events = run({
    files: files.map((file) => `${root}/${file}`),
    cwd: root,
    concurrency: 3,
    timeout: options.timeoutMs,
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
