// Goal: the examples do what their pages say, beside one another, and leave nothing behind.
// Method: run.sh of each, at one daemon; what they found is compared byte by byte with what they promise.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../scripts/checkout.ts";
import { postgresPrograms } from "../../src/metadata/testing/postgres-server.ts";
import { testDocker } from "../../src/runner/docker/testing/test-docker.ts";
import { probeNamespaces } from "../../src/runner/index.ts";
import { openTestDaemon, run, testFolder } from "./testing/daemon.ts";

const probe = await probeNamespaces();
const noSandbox = probe.works ? false : `no namespaces: ${probe.reason}`;
const noDatabase = postgresPrograms() === undefined ? "PostgreSQL is not installed" : false;

/** Why an example cannot be run here. Those that are not listed need nothing but a daemon. */
const skips: Readonly<Record<string, string | false>> = {
  image_edges: testDocker.skip,
  load_results: noDatabase,
};

/** Those that start a daemon of their own: for its options, for the one repo of its curl API, or to see that it works. */
const alone = new Set(["image_edges", "fruit_stand", "chess", "image-map"]);

const examples = readdirSync(`${root}/examples`, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

/** What a folder holds: the text of each file by its path. */
function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    files
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, "latin1")]),
  );
}

test(
  "each example finds what it promises and leaves nothing behind",
  { skip: noSandbox, concurrency: 2 },
  async (t) => {
    const folder = testFolder(t);
    const [secrets, scratch] = [`${folder}/secrets`, `${folder}/scratch`];
    mkdirSync(secrets);
    mkdirSync(scratch);
    const daemon = await openTestDaemon(t, ["--secrets-dir", secrets]);
    const shared = { ADDRESS: daemon.address, SECRETS_DIR: secrets };
    const own = { ADDRESS: "", SECRETS_DIR: "", DOCKER_HOST: testDocker.address };
    const runs = examples.map(async (name) => {
      await t.test(name, { skip: skips[name] ?? false }, async () => {
        const results = `${folder}/results-${name}`;
        const env = { TMPDIR: scratch, RESULTS: results, SECONDS_TOTAL: "5" };
        const ran = await run("sh", [`${root}/examples/${name}/run.sh`], {
          env: { ...env, ...(alone.has(name) ? own : shared) },
        });
        assert.equal(ran.code, 0, ran.stdout + ran.stderr);
        assert.deepEqual(contents(results), contents(`${root}/examples/${name}/expected`));
      });
    });
    await Promise.all(runs);
    assert.equal(await daemon.ok(["list-repo", "--raw"]), "");
    assert.equal(await daemon.ok(["list-pipeline", "--raw"]), "");
    assert.deepEqual([...readdirSync(scratch), ...readdirSync(secrets)], []);
  },
);

test("an example does not touch a repo that is there already", async (t) => {
  const folder = testFolder(t);
  const daemon = await openTestDaemon(t);
  await daemon.ok(["create-repo", "book"]);
  const ran = await run("sh", [`${root}/examples/word_count/run.sh`], {
    env: { ADDRESS: daemon.address, TMPDIR: folder },
  });
  assert.equal(ran.code, 2);
  assert.match(ran.stderr, /has a repo or pipeline book already/);
  assert.equal((await daemon.ok(["list-repo", "--raw"])).split("\n").length, 2);
});

test("each example has its page, its spec and its results, and the guide shows it", () => {
  const page = readFileSync(`${root}/docs/guide/examples.md`, "utf8");
  for (const name of examples) {
    const there = readdirSync(`${root}/examples/${name}`);
    const spec = there.find((file) => /^(pipeline|describe)\./.test(file));
    for (const file of ["README.md", "expected", "run.sh", spec])
      assert.ok(file !== undefined && there.includes(file), `${name} has no ${file ?? "spec"}`);
    assert.ok(page.includes(`](../../examples/${name}/README.md)`), `the guide lacks ${name}`);
  }
});
