import assert from "node:assert/strict";
import { test } from "node:test";
import { CodedError } from "../base/errors.ts";
import type { Mounting } from "./mounting.ts";
import { run } from "./testing/run.ts";

/** Mounts of a machine, of which one is in use. */
function openMounts(
  points: readonly string[],
  used: string,
): { left: string[]; mounting: Mounting } {
  const left = [...points];
  const mounting: Mounting = {
    mount: () => Promise.reject(new Error("this test mounts nothing")),
    list: () => Promise.resolve(left.map((point) => ({ point, source: "pfs@here" }))),
    unmount: async (point, { force }) => {
      if (point === used && !force) throw new CodedError("failed_precondition", `${point} is busy`);
      left.splice(left.indexOf(point), 1);
      await Promise.resolve();
    },
  };
  return { left, mounting };
}

const cases: readonly (readonly [
  args: readonly string[],
  answer: string,
  exit: number,
  left: readonly string[],
])[] = [
  [["-a"], "n\n", 0, ["/a", "/b", "/c"]],
  [["-a"], "", 0, ["/a", "/b", "/c"]],
  [["-a"], "y\n", 1, ["/b"]],
  [["-a", "--force"], "Y\n", 0, []],
  [["/c"], "", 0, ["/a", "/b"]],
  [["/b"], "", 1, ["/a", "/b", "/c"]],
];

for (const [args, answer, exit, left] of cases)
  test(`unmount ${args.join(" ")} answered ${JSON.stringify(answer)} leaves ${left.length}`, async () => {
    const mounts = openMounts(["/a", "/b", "/c"], "/b");
    const ran = await run(["unmount", ...args], {
      mounting: () => Promise.resolve(mounts.mounting),
      stdinText: answer,
    });
    assert.deepEqual([ran.exit, mounts.left], [exit, left]);
    if (exit !== 0) assert.match(ran.stderr, /\/b is busy/);
  });
