// Goal: programs of the 1.2 series find the daemon, and find its environment variables understood, as far as
// differences.md says so. test/compat/contract.tsv names these tests.
import { strict as assert } from "node:assert";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../scripts/checkout.ts";
import { defaultAddress } from "../../src/client/address.ts";
import { parsePachdConfig, type PachdConfig } from "../../src/main/config.ts";
import { run } from "../e2e/testing/daemon.ts";

function configOf(argv: readonly string[], env: Readonly<Record<string, string>>): PachdConfig {
  const config = parsePachdConfig(argv, env, { cpus: 3, cwd: "/" });
  assert.ok(typeof config === "object");
  return config;
}

test("daemon and clients meet at port 30650 of this machine unless told otherwise", () => {
  const { host, port } = configOf([], { HOME: "/home/me" });
  assert.equal(`${host}:${port}`, "127.0.0.1:30650");
  assert.equal(defaultAddress, "127.0.0.1:30650");
});

test("PACH_ROOT and LOG_LEVEL are read, what only a cluster has a use for is not", () => {
  const cluster = {
    PORT: "650",
    NUM_SHARDS: "32",
    STORAGE_BACKEND: "AMAZON",
    DATABASE_NAME: "x",
    NAMESPACE: "x",
    METRICS: "true",
    PACHD_PORT_650_TCP_ADDR: "10.0.0.1",
    JOB_SHIM_IMAGE: "x",
  };
  const env = { HOME: "/home/me", PACH_ROOT: "/pach", LOG_LEVEL: "error" };
  const { root: folder, logLevel } = configOf([], env);
  assert.deepEqual([folder, logLevel], ["/pach", "error"]);
  assert.deepEqual(configOf([], { ...env, ...cluster }), configOf([], env));
});

test("pachctl writes no file of its own and announces none", async (t) => {
  const home = mkdtempSync(join(tmpdir(), "mammoth-home-"));
  t.after(() => {
    rmSync(home, { recursive: true });
  });
  const env = { HOME: home, ADDRESS: "127.0.0.1:1" };
  const ran = await run(`${root}/bin/pachctl`, ["help"], { env });
  assert.equal(ran.code, 0);
  assert.doesNotMatch(ran.stdout + ran.stderr, /config/i);
  assert.deepEqual(
    readdirSync(home).filter((name) => name !== ".cache"),
    [],
  );
});
