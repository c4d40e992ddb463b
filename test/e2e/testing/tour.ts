import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestContext } from "node:test";
import { openTestDaemon, run } from "./daemon.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A command of a page and the lines the page shows after it. */
interface Step {
  readonly command: string;
  readonly output: string[];
  /** It stands in a block of commands that fail. */
  readonly fails: boolean;
}

/** A block with a name is a file of that name. */
const files = /```[a-z]+ ([\w.]+)\n([\s\S]*?)```/g;
const blocks = /<!-- tour( fails)? -->\n```console\n([\s\S]*?)```/g;
const id = /\b[0-9a-f]{32}\b/g;

/** The commands of the blocks marked as the tour. */
function stepsOf(page: string): Step[] {
  const steps: Step[] = [];
  for (const [, fails, block = ""] of page.matchAll(blocks)) {
    for (const line of block.trimEnd().split("\n")) {
      if (line.startsWith("$ "))
        steps.push({ command: line.slice(2), output: [], fails: fails !== undefined });
      else steps.at(-1)?.output.push(line);
    }
  }
  return steps;
}

/** Ids and times are different each time; what they are is not the page's point. */
function withoutChance(line: string, ids: ReadonlyMap<string, string>): string {
  let known = line;
  for (const [shown, real] of ids) known = known.replaceAll(shown, real);
  return known
    .replace(
      /Less than a second( ago)?|About a minute( ago)?|\d+ (seconds?|minutes?)( ago)?/g,
      "<time>",
    )
    .replace(/\s+/g, " ")
    .trim();
}

/** Types a page's commands at a daemon of its own, in order; gives back what each printed. */
async function typed(t: TestContext, steps: readonly Step[], cwd: string): Promise<string[][]> {
  const daemon = await openTestDaemon(t);
  const env = { ADDRESS: daemon.address, PATH: `${root}bin:${process.env["PATH"] ?? ""}` };
  const ids = new Map<string, string>();
  const printed: string[][] = [];
  for (const { command, output, fails } of steps) {
    let line = command;
    for (const [shown, real] of ids) line = line.replaceAll(` ${shown.slice(0, 4)}`, ` ${real}`);
    const { code, stdout, stderr } = await run("bash", ["-c", line], { env, cwd });
    assert.equal(code !== 0, fails, `${command}: exit code ${code}: ${stderr}`);
    const text = `${stdout}${stderr}`.trimEnd();
    // Who waits for longer is told so: that depends on the machine.
    const lines = text.split("\n").filter((one) => one !== "" && !one.startsWith("Waiting for "));
    printed.push(lines);
    for (const [i, shown] of output.entries()) {
      const real = lines[i]?.match(id) ?? [];
      for (const [k, name] of (shown.match(id) ?? []).entries()) ids.set(name, real[k] ?? name);
    }
    assert.deepEqual(
      lines.map((one) => withoutChance(one, ids)),
      output.filter((one) => one !== "").map((one) => withoutChance(one, ids)),
      command,
    );
  }
  return printed;
}

/** Has a page's commands print what the page says. */
export async function testTour(t: TestContext, page: string, cwd: string): Promise<void> {
  const steps = stepsOf(page);
  assert.ok(steps.length >= 3, "a tour has commands");
  for (const [, name = "", content = ""] of page.matchAll(files))
    writeFileSync(join(cwd, name), content);
  await typed(t, steps, cwd);
}
