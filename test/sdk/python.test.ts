// Goal: the Python client does what its README says. Method: its own tests, against a real daemon.
import assert from "node:assert/strict";
import { test } from "node:test";
import { python, whyNoToolchain } from "../../scripts/services/toolchain.ts";
import { runSuite } from "./testing/run-suite.ts";

const skip = (await whyNoToolchain(python)) ?? false;

test("sdk/python passes its tests, README included", { skip }, async (t) => {
  const printed = await runSuite(t, {
    folder: "python",
    program: "python3",
    args: ["-W", "error", "-m", "unittest"],
    env: { PYTHONDONTWRITEBYTECODE: "1" },
  });
  assert.match(printed, /^Ran \d\d tests/m);
  assert.doesNotMatch(printed, /skipped/);
});
