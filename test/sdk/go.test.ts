// Goal: the Go client does what its README says. Method: its own tests, against a real
// daemon; no module may be fetched.
import assert from "node:assert/strict";
import { test } from "node:test";
import { go, whyNoToolchain } from "../../scripts/services/toolchain.ts";
import { runSuite } from "./testing/run-suite.ts";

const skip = (await whyNoToolchain(go)) ?? false;

test("sdk/go passes its tests, README included", { skip }, async (t) => {
  const printed = await runSuite(t, {
    folder: "go",
    program: "go",
    args: ["test", "-count=1", "-v", "./..."],
    env: { GOPROXY: "off" },
  });
  assert.match(printed, /^--- PASS: TestReadme/m);
  assert.doesNotMatch(printed, /^\s*--- SKIP/m);
});
