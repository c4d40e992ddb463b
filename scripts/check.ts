import { spawn } from "node:child_process";
import { formatted, root } from "./checkout.ts";
import { tool } from "./tool.ts";

// npm run check [-- --static]: everything that has to hold before a commit, each with its time.
// The static checks run two at a time, then the unit tests; --static leaves those out.

interface Check {
  readonly name: string;
  readonly args: readonly string[];
}

const staticChecks: readonly Check[] = [
  { name: "types", args: [tool("tsc"), "-p", "."] },
  { name: "format", args: [tool("oxfmt"), "--check", ...formatted] },
  { name: "lint", args: [tool("oxlint"), ...formatted] },
  { name: "tidy", args: ["scripts/tidy.ts"] },
  { name: "protos", args: ["scripts/protos.ts"] },
  { name: "rest-docs", args: ["scripts/rest-docs.ts"] },
];
const unitTests: Check = {
  name: "unit tests",
  args: ["scripts/test.ts", "--timeout-s=30", "src/", "scripts/"],
};

/** Runs one check to its end; what it said is shown only when it fails. */
async function passes({ name, args }: Check): Promise<boolean> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: Buffer[] = [];
  child.stdout.on("data", (piece: Buffer) => said.push(piece));
  child.stderr.on("data", (piece: Buffer) => said.push(piece));
  const code = await new Promise<number>((resolve) => {
    child.on("close", (status) => {
      resolve(status ?? 1);
    });
  });
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  if (code !== 0) process.stdout.write(Buffer.concat(said));
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${name.padEnd(10)} ${seconds} s`);
  return code === 0;
}

/** Runs checks from one end of the list by as many workers as there are. */
async function allPass(checks: readonly Check[], workers: number): Promise<boolean> {
  const waiting = [...checks];
  let good = true;
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (!(await passes(next))) good = false;
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return good;
}

let good = await allPass(staticChecks, 2);
if (!process.argv.includes("--static")) good = (await passes(unitTests)) && good;
process.exitCode = good ? 0 : 1;
