import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { root } from "../../../scripts/checkout.ts";
import { openTestDaemon, run, testFolder } from "../../e2e/testing/daemon.ts";

/** The tests of a client in another language. */
export interface Suite {
  /** Below `sdk/`. */
  readonly folder: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs them against a daemon of their own, which asks for a token; what they print. */
export async function runSuite(t: TestContext, suite: Suite): Promise<string> {
  const token = join(testFolder(t), "token");
  writeFileSync(token, "a-token-of-this-test-0123456789\n", { mode: 0o600 });
  const daemon = await openTestDaemon(t, ["--token-file", token]);
  const ran = await run(suite.program, suite.args, {
    cwd: join(root, "sdk", suite.folder),
    env: { ...suite.env, ADDRESS: daemon.address, PACH_TOKEN_FILE: token },
  });
  const printed = ran.stdout + ran.stderr;
  assert.equal(ran.code, 0, printed);
  return printed;
}
