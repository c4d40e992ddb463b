// Goal: the README's tour is true. Method: type its commands at a real daemon, compare what they print.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openTestDaemon, run } from "./testing/daemon.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

interface Step {
  readonly command: string;
  readonly output: string[];
}

/** The commands of the blocks marked as the tour, each with the lines the README shows after it. */
function tourSteps(): Step[] {
  const readme = readFileSync(`${root}README.md`, "utf8");
  const steps: Step[] = [];
  for (const block of readme.matchAll(/<!-- tour -->\n```console\n([\s\S]*?)```/g)) {
    for (const line of (block[1] ?? "").trimEnd().split("\n")) {
      if (line.startsWith("$ ")) steps.push({ command: line.slice(2), output: [] });
      else steps.at(-1)?.output.push(line);
    }
  }
  return steps;
}

/** Ids and times are different each time; what they are is not the README's point. */
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

const id = /\b[0-9a-f]{32}\b/g;

test("the README's tour prints what the README says", async (t) => {
  const daemon = await openTestDaemon(t);
  const env = { ADDRESS: daemon.address, PATH: `${root}bin:${process.env["PATH"] ?? ""}` };
  const ids = new Map<string, string>();
  const steps = tourSteps();
  assert.ok(steps.length >= 10);
  for (const { command, output } of steps) {
    let typed = command;
    for (const [shown, real] of ids) typed = typed.replaceAll(` ${shown.slice(0, 4)}`, ` ${real}`);
    const ran = await run("bash", ["-c", typed], { env, cwd: root });
    assert.equal(ran.code, 0, `${command}: ${ran.stderr}`);
    const printed = ran.stdout.trimEnd().split("\n");
    for (const [i, shown] of output.entries()) {
      const real = printed[i]?.match(id) ?? [];
      for (const [k, name] of (shown.match(id) ?? []).entries()) ids.set(name, real[k] ?? name);
    }
    const expected = output.map((line) => withoutChance(line, ids));
    assert.deepEqual(
      printed.map((line) => withoutChance(line, ids)),
      expected.length === 0 ? [""] : expected,
      command,
    );
  }
});
