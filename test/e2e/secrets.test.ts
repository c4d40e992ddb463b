// Goal: the value of a secret reaches the command that names it, and nothing else: no log, table, answer or
// error, no file that is left behind.
// Method: a canary, printed by the command itself; then everything the daemon says and keeps is searched for it.
import { strict as assert } from "node:assert";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { probeNamespaces } from "../../src/runner/index.ts";
import { openTestDaemon } from "./testing/daemon.ts";

const canary = "canary-9f3c-do-not-show";
const probe = await probeNamespaces();

test(
  "a canary is nowhere but in the task",
  { skip: probe.works ? false : probe.reason },
  async (t) => {
    // Where commands see what the machine has: of /tmp they have one of their own.
    const secrets = mkdtempSync("/var/tmp/mammoth-secrets-");
    t.after(() => rmSync(secrets, { recursive: true }));
    mkdirSync(join(secrets, "db"));
    writeFileSync(join(secrets, "db", "password"), `${canary}\n`);
    mkdirSync(join(secrets, "other"));
    writeFileSync(join(secrets, "other", "password"), "of another pipeline\n");
    const daemon = await openTestDaemon(t, ["--secrets-dir", secrets, "--log-level=debug"]);
    const said: string[] = [];
    const pachctl = async (args: readonly string[], stdin = ""): Promise<string> => {
      const { stdout, stderr } = await daemon.pachctl(args, { stdin });
      said.push(stdout, stderr);
      return stdout;
    };
    await pachctl(["create-repo", "data"]);
    await pachctl(["put-file", "-c", "data", "master", "f"], "x\n");
    const spec = (name: string, end: string): string =>
      JSON.stringify({
        pipeline: { name },
        transform: {
          cmd: ["sh"],
          stdin: [
            "cat /secrets/db/password",
            "cat /secrets/db/password >&2",
            "wc -c < /secrets/db/password > /pfs/out/bytes",
            `ls -A ${secrets} > /pfs/out/listed`,
            `cat ${secrets}/other/password ${secrets}/db/password > /pfs/out/read || true`,
            end,
          ],
          secrets: [{ name: "db", mountPath: "/secrets/db" }],
        },
        inputs: [{ repo: "data" }],
        retries: 0,
      });
    await pachctl(
      ["create-pipeline", "-f", "-"],
      `${spec("good", "true")}\n${spec("bad", "exit 3")}`,
    );
    await pachctl(["flush-commit", "data/master/0"]);
    const ids = (await pachctl(["list-job", "--raw"]))
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { id: string }).id);
    assert.equal(ids.length, 2);
    for (const id of ids) {
      await pachctl(["inspect-job", "-b", id]);
      await pachctl(["inspect-job", "-b", "--raw", id]);
      await pachctl(["get-logs", id]);
    }
    for (const verb of [
      "list-job",
      "list-pipeline",
      "list-pipeline --raw",
      "inspect-pipeline good",
    ])
      await pachctl(verb.split(" "));
    const bytes = await pachctl(["get-file", "good", "--of", "data/master/0", "bytes"]);
    assert.equal(bytes.trim(), String(canary.length + 1));
    for (const file of ["listed", "read"])
      assert.equal(await pachctl(["get-file", "good", "--of", "data/master/0", file]), "");
    assert.ok(said.join("\n").includes("(secret db)"));
    assert.ok(!said.join("\n").includes(canary));
    await daemon.stop();
    assert.ok(!daemon.log.includes(canary));
    for (const entry of readdirSync(daemon.root, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      assert.ok(!readFileSync(path).includes(canary), path);
    }
  },
);
