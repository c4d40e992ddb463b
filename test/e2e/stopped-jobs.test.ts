// Goal: a job that is stopped, and a pipeline that is updated or deleted while its job runs, leave no process, no
// file and no commit that is open; nothing else is disturbed.
// Method: a command that starts children and sleeps under a name of its own; each verb in turn.
import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { probeNamespaces } from "../../src/runner/index.ts";
import { jsonLines, openTestDaemon } from "./testing/daemon.ts";

const probe = await probeNamespaces();
/** Seconds that no other process of this machine sleeps for. */
const marker = "4719.25";

function sleepers(): number {
  let found = 0;
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (readFileSync(`/proc/${name}/cmdline`, "latin1") === `sleep\0${marker}\0`) found++;
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    assert.ok(tries < 300, `${what} did not come true`);
    await sleep(50);
  }
}

const spec = (name: string): string =>
  JSON.stringify({
    pipeline: { name },
    transform: {
      cmd: ["sh", "-c", `setsid sleep ${marker} & echo x > /pfs/out/a; sleep ${marker}`],
    },
    inputs: [{ repo: "data" }],
  });

const skip = probe.works ? false : probe.reason;

test("what ends a job leaves nothing of it", { skip }, async (t) => {
  const daemon = await openTestDaemon(t);
  const pachctl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await daemon.pachctl(args);
    assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const states = async (): Promise<string[]> =>
    jsonLines<{ state: string }>(await pachctl("list-job", "--raw")).map(({ state }) => state);
  await pachctl("create-repo", "data");
  await daemon.pachctl(["put-file", "-c", "data", "master", "f"], { stdin: "x\n" });
  const ends: readonly (readonly [string, (id: string) => Promise<unknown>])[] = [
    ["stop-job", async (id) => await pachctl("stop-job", id)],
    ["delete-job", async (id) => await pachctl("delete-job", id)],
    [
      "update-pipeline",
      async () => {
        const update = JSON.stringify({
          pipeline: { name: "p" },
          transform: { cmd: ["true"] },
          inputs: [{ repo: "data" }],
        });
        await daemon.pachctl(["update-pipeline"], { stdin: update });
        await pachctl("flush-commit", "data/master/0");
      },
    ],
    ["delete-pipeline", async () => undefined],
  ];
  for (const [verb, end] of ends) {
    await daemon.pachctl(["create-pipeline"], { stdin: spec("p") });
    await until(`${verb}: the command runs`, () => sleepers() === 2);
    const [job] = jsonLines<{ id: string }>(await pachctl("list-job", "--raw"));
    await end(job!.id);
    await pachctl("delete-pipeline", "p");
    await until(`${verb}: no process is left`, () => sleepers() === 0);
    // A sandbox that no task has had is kept for the next job.
    await until(`${verb}: no file is left`, () =>
      Object.entries({ "work/tasks": 0, "run/runs": 1 }).every(
        ([folder, most]) => readdirSync(join(daemon.root, folder)).length <= most,
      ),
    );
    assert.deepEqual(await states(), [], verb);
    const commits = jsonLines<{ state: string }>(await pachctl("list-commit", "-a", "--raw", "p"));
    assert.ok(
      commits.every(({ state }) => state === "finished" || state === "cancelled"),
      verb,
    );
    await pachctl("delete-repo", "p");
  }
  await daemon.pachctl(["create-pipeline"], { stdin: spec("p") });
  const loose = JSON.stringify({
    transform: { cmd: ["sleep", marker] },
    inputs: [{ commit: "data/master/0" }],
  });
  await daemon.pachctl(["create-job"], { stdin: loose });
  await until("the commands run", () => sleepers() >= 2);
  await daemon.pachctl(["delete-all"], { stdin: "y\n" });
  await until("no process is left", () => sleepers() === 0);
  assert.deepEqual(await states(), []);
});
