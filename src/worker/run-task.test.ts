import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { CodedError } from "../base/errors.ts";
import { probeNamespaces } from "../runner/index.ts";
import { openWorkerBench, type WorkerBench } from "./testing/worker-bench.ts";

const probe = await probeNamespaces();
const never = new AbortController().signal;

describe("runTask()", { skip: probe.works ? false : probe.reason }, () => {
  let bench: WorkerBench;
  before(async () => (bench = await openWorkerBench()));
  after(async () => await bench.close());

  it("shows inputs, feeds stdin and the environment, stores the output and reports success", async () => {
    const view = bench.host.addView({ "a/x": "apple\n", b: "pear\n", empty: "", dir: null });
    const attempt = await bench.run({
      cmd: ["sh"],
      env: { WHO: "me" },
      stdin: [
        "cat /pfs/fruit/a/x /pfs/fruit/b > /pfs/out/all",
        "echo $WHO",
        "ls -A /pfs /pfs/fruit",
      ],
      inputs: [{ name: "fruit", view }],
    });
    assert.deepEqual(attempt.outcome, { kind: "success", hasOutput: true });
    assert.deepEqual(attempt.changes, [{ kind: "append", path: "all", content: "apple\npear\n" }]);
    assert.equal(attempt.log, "me\n/pfs:\nfruit\nout\n\n/pfs/fruit:\na\nb\ndir\nempty\n");
    assert.deepEqual(await fs.readdir(`${bench.home}/scratch/tasks`), []);
  });
  it("reports a failing command with its exit code and last lines, and stores nothing", async () => {
    const attempt = await bench.sh("seq 1 2000; echo why >&2; touch /pfs/out/x; exit 7");
    assert.ok(attempt.outcome?.kind === "failure");
    assert.equal(attempt.outcome.exitCode, 7);
    assert.match(attempt.outcome.error, /^exit status 7\n\d+\n[^]*\n2000\nwhy$/);
    assert.ok(attempt.outcome.error.length < 2_100);
    assert.match(attempt.log, /^1\n2\n[^]*\n2000\nwhy\nError from exec: exit status 7\n$/);
    assert.equal(attempt.changes, undefined);
  });
  it("counts an accepted return code as success", async () => {
    assert.equal((await bench.sh("exit 3", { acceptReturnCode: [1, 3] })).outcome?.kind, "success");
  });
  it("reports signals and commands that do not start", async () => {
    const table: [readonly string[], RegExp, string][] = [
      [["sh", "-c", "kill -TERM $$"], /^signal SIGTERM$/, "Error from exec: signal SIGTERM\n"],
      [["nope"], /"nope" was not found in PATH/, "Error from exec: cmd"],
      [[], /a cmd needs to be provided/, "unable to run; a cmd needs to be provided"],
    ];
    for (const [cmd, error, log] of table) {
      const attempt = await bench.run({ cmd });
      assert.ok(attempt.outcome?.kind === "failure");
      assert.match(attempt.outcome.error, error);
      assert.ok(attempt.log.includes(log), attempt.log);
    }
  });
  it("kills a command that runs for too long, with all it started, and says so", async () => {
    const script = "echo begun; sleep 60 & sleep 60";
    const attempt = await bench.sh(script, { timeoutMs: 300 });
    assert.ok(attempt.outcome?.kind === "failure");
    assert.equal(attempt.outcome.error, "timed out: killed after 0.3 s (taskTimeout)\nbegun");
    assert.match(attempt.log, /^begun\nError from exec: timed out/);
  });
  it("tells what helps when grep in a shell finds nothing", async () => {
    const hint = /\ngrep ends with 1 .* transform.acceptReturnCode: \[1\]$/;
    const failed = await bench.sh("echo apple | grep pear");
    assert.ok(failed.outcome?.kind === "failure");
    assert.match(failed.outcome.error, /^exit status 1/);
    assert.match(failed.outcome.error, hint);
    const cmd = ["sh", "-c", "grep x /dev/null; exit 2"];
    for (const other of [await bench.sh("exit 1"), await bench.run({ cmd })]) {
      assert.ok(other.outcome?.kind === "failure");
      assert.doesNotMatch(other.outcome.error, hint);
    }
  });
  it("brings a view once for all tasks that show it, and each content once", async () => {
    const view = bench.host.addView({ one: "same content", two: "same content", three: "other" });
    const inputs = [{ name: "in", view }];
    const tasks = Array.from({ length: 4 }, () =>
      bench.host.addTask({ cmd: ["cat", "/pfs/in/one"], inputs }),
    );
    await Promise.all(tasks.map(async () => await bench.worker.work(never)));
    for (const task of tasks) assert.equal(bench.host.attemptOf(task).log, "same content");
    const reads = ["one", "two", "three"].map((path) => bench.host.reads.get(path) ?? 0);
    assert.equal(reads[0]! + reads[1]!, 1);
    assert.equal(reads[2], 1);
  });
  it("keeps inputs and the previous output safe from a command that runs as root", async () => {
    const view = bench.host.addView({ file: "kept" });
    const script =
      "chmod 777 /pfs/in/file /pfs/prev/file; echo x >> /pfs/in/file; rm /pfs/prev/file; cat /pfs/in/file /pfs/prev/file; true";
    const attempt = await bench.sh(script, { inputs: [{ name: "in", view }], parentOutput: view });
    assert.match(attempt.log, /keptkept$/);
    assert.deepEqual(attempt.changes, []);
  });
  it("hides its own scratch from the command", async () => {
    const { log } = await bench.sh(
      `ls -A ${bench.home} ${bench.home}/scratch 2>/dev/null; echo end`,
    );
    assert.equal(log, "end\n");
  });
  it("cuts a log at 8 MiB with one note and goes on", async () => {
    const attempt = await bench.sh("yes 123456789012345 | head -n 600000; exit 1");
    assert.ok(attempt.log.length < 8 * 1024 * 1024 + 200, `${attempt.log.length}`);
    assert.equal(attempt.log.split("the log is cut here").length, 2);
    assert.match(attempt.log, /\nError from exec: exit status 1\n$/);
  });
  it("reports why it cannot store an output", async () => {
    const table = {
      "ln -s /etc/passwd /pfs/out/link":
        /"\/pfs\/out\/link": it is a link to "\/etc\/passwd", outside/,
      "ln -s ../in/file /pfs/out/link": /"\/pfs\/out\/link": it is a link to a place outside/,
      "ln -s nothing /pfs/out/link": /link to something that does not exist/,
      "ln -s link /pfs/out/link": /link that leads to itself/,
      "mkdir /pfs/out/d; ln -s .. /pfs/out/d/up":
        /"\/pfs\/out\/d\/up": it is a link to a directory it is in/,
      "mkfifo /pfs/out/pipe": /"\/pfs\/out\/pipe": it is a named pipe/,
      [`touch "/pfs/out/$(printf 'a\\377')"`]: /not UTF-8/,
      "cp /bin/true /pfs/out/su; chmod 4755 /pfs/out/su": /"\/pfs\/out\/su": it is a program with/,
      "cp /bin/true /pfs/out/sg; chmod 2755 /pfs/out/sg": /"\/pfs\/out\/sg": it is a program with/,
      "ln -s /proc/1/root/etc/passwd /pfs/out/p": /outside \/pfs\/out: copy the file instead/,
      "ln -s /pfs/out/../../etc/passwd /pfs/out/p": /a link to a place outside/,
      "mkdir /pfs/out/d; ln -s / /pfs/out/d/all": /outside \/pfs\/out/,
      [`d=${"d".repeat(250)}; chain() { cd /pfs/out; mkdir $1; cd $1; for i in $(seq 12); do mkdir $d; cd $d; done; }; chain a; chain b; mv /pfs/out/a .`]:
        /it is too deep/,
    };
    for (const [script, error] of Object.entries(table)) {
      const attempt = await bench.sh(script);
      assert.ok(attempt.outcome?.kind === "failure", script);
      assert.match(attempt.outcome.error, error);
      assert.match(attempt.log, /^Error: Cannot store/);
      assert.equal(attempt.changes, undefined);
    }
    assert.deepEqual(await fs.readdir(`${bench.home}/scratch/tasks`), []);
  });
  it("stores what is strange but can be stored", async () => {
    const scripts = {
      "printf x > \"/pfs/out/$(printf 'a\\nb')\"": ["a\nb=x"],
      "printf x > '/pfs/out/..x'; printf y > '/pfs/out/...'": ["...=y", "..x=x"],
      "printf x > /pfs/out/a; ln /pfs/out/a /pfs/out/b": ["a=x", "b=x"],
      "printf x > /pfs/out/a; chmod 000 /pfs/out/a": ["a=x"],
      [`printf x > /pfs/out/${"n".repeat(255)}`]: [`${"n".repeat(255)}=x`],
    };
    for (const [script, expected] of Object.entries(scripts)) {
      const { changes, outcome, log } = await bench.sh(script);
      assert.equal(outcome?.kind, "success", log);
      assert.deepEqual(
        (changes ?? []).map(({ path, content }) => `${path}=${content}`),
        expected,
      );
    }
    const sparse = await bench.sh("truncate -s 3000000 /pfs/out/holes");
    assert.equal(sparse.outcome?.kind, "success");
  });
  it("never stores what a link leads to outside, though links come and go to the end", async () => {
    const swap = "ln -sfn /etc/passwd /pfs/out/f; rm -f /pfs/out/f; echo mine > /pfs/out/f";
    for (let round = 0; round < 4; round++) {
      const attempt = await bench.sh(`(while :; do ${swap}; done) & sleep 0.05`);
      assert.doesNotMatch(JSON.stringify(attempt.changes ?? []), /root:/);
    }
  });
  it("renews the lease of a long task", async () => {
    const attempt = await bench.sh("sleep 0.7", { leaseMs: 300 });
    assert.deepEqual(attempt.outcome, { kind: "success", hasOutput: false });
  });
  it("kills the command and reports nothing when the lease is lost", async () => {
    const task = bench.host.addTask({ cmd: ["sh", "-c", "echo up; sleep 60"], leaseMs: 300 });
    const working = bench.worker.work(never);
    await until(() => bench.host.attemptOf(task).log === "up\n");
    bench.host.revoke(task);
    await working;
    assert.equal(bench.host.attemptOf(task).outcome, undefined);
    assert.deepEqual(await fs.readdir(`${bench.home}/scratch/tasks`), []);
  });
  it("kills the command before the lease ends when it cannot be renewed", async () => {
    const { host } = bench;
    const before = performance.now();
    const renew = host.renew.bind(host);
    host.renew = async () => await new Promise(() => undefined);
    const attempt = await bench
      .sh("sleep 60", { leaseMs: 800 })
      .finally(() => (host.renew = renew));
    assert.equal(attempt.outcome, undefined);
    assert.ok(performance.now() - before < 800, `${performance.now() - before}`);
  });
  it("gives up without a report when its own signal fires", async () => {
    const stop = new AbortController();
    const task = bench.host.addTask({ cmd: ["sh", "-c", "echo up; sleep 60"] });
    const working = bench.worker.work(stop.signal);
    await until(() => bench.host.attemptOf(task).log === "up\n");
    stop.abort();
    await working;
    assert.equal(bench.host.attemptOf(task).outcome, undefined);
    assert.equal(bench.host.attemptOf(task).released, true);
  });
  it("waits for a host that is away, for inputs, logs and outputs, and fails nothing", async () => {
    const { host } = bench;
    const view = host.addView({ x: "apple\n" });
    const away = new Map<string, number>();
    const fails = (what: string): void => {
      const times = (away.get(what) ?? 0) + 1;
      away.set(what, times);
      if (times === 1) throw new CodedError("unavailable", "away");
    };
    const listView = host.listView.bind(host);
    const writeOutput = host.writeOutput.bind(host);
    const appendLog = host.appendLog.bind(host);
    host.listView = (...args) => (fails("list"), listView(...args));
    host.writeOutput = async (...args) => (fails("write"), await writeOutput(...args));
    host.appendLog = async (...args) => (fails("log"), await appendLog(...args));
    const attempt = await bench
      .sh("echo hello; cat /pfs/fruit/x > /pfs/out/x", { inputs: [{ name: "fruit", view }] })
      .finally(() => Object.assign(host, { listView, writeOutput, appendLog }));
    assert.deepEqual(attempt.outcome, { kind: "success", hasOutput: true });
    assert.deepEqual(attempt.changes, [{ kind: "append", path: "x", content: "apple\n" }]);
    assert.equal(attempt.log, "hello\n");
    assert.deepEqual(Object.fromEntries(away), { list: 2, log: 2, write: 2 });
  });
  it("drop() kills a task that is no longer this worker's", async () => {
    const task = bench.host.addTask({ cmd: ["sh", "-c", "echo up; sleep 60"] });
    const working = bench.worker.work(never);
    await until(() => bench.host.attemptOf(task).log === "up\n");
    assert.deepEqual(bench.worker.tokens(), [task.token]);
    bench.worker.drop(task.token);
    await working;
    assert.deepEqual(bench.worker.tokens(), []);
    assert.equal(bench.host.attemptOf(task).outcome, undefined);
  });
  it("removes what a task made unwritable", async () => {
    const attempt = await bench.sh(
      "mkdir -p /pfs/out/a/b; echo x > /pfs/out/a/b/c; chmod -R a-rwx /pfs/out/a",
    );
    assert.deepEqual(
      attempt.changes?.map(({ kind, path }) => `${kind} ${path}`),
      ["mkdir a", "mkdir a/b", "append a/b/c"],
    );
    assert.deepEqual(await fs.readdir(`${bench.home}/scratch/tasks`), []);
  });
});

describe("openWorker()", () => {
  it("removes what a crash left in its scratch", async () => {
    const bench = await openWorkerBench();
    await fs.mkdir(`${bench.home}/other/tasks/9/out`, { recursive: true });
    await fs.mkdir(`${bench.home}/other/views/x.building`, { recursive: true });
    const again = await openWorkerBench({ scratch: `${bench.home}/other` });
    assert.deepEqual(await fs.readdir(`${bench.home}/other/tasks`), []);
    assert.deepEqual(await fs.readdir(`${bench.home}/other/views`), []);
    await Promise.all([bench.close(), again.close()]);
  });
});

/** Lets other work go on until the condition holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

describe("secrets of a task", { skip: probe.works ? false : probe.reason }, () => {
  const value = "canary-4711-value";
  const source = {
    read: async (name: string) =>
      await Promise.resolve(
        name === "db" ? new Map([["password", Buffer.from(`${value}\n`)]]) : undefined,
      ),
    remedy: () => "Make it known",
  };
  let bench: WorkerBench;
  before(async () => (bench = await openWorkerBench({ secrets: source })));
  after(async () => await bench.close());

  for (const mountPath of ["/secrets/db", "/secret", "/tmp/deep/er", "/mnt"]) {
    it(`are read-only files at ${mountPath}, and not in the log`, async () => {
      const script = `grep -c canary ${mountPath}/password; cat ${mountPath}/password; echo x > ${mountPath}/y; ls ${mountPath}; exit 1`;
      const attempt = await bench.sh(script, { secrets: [{ name: "db", mountPath }] });
      assert.match(attempt.log, /^1\n\(secret db\)\n[^]*Read-only file system\npassword\n/);
      assert.ok(attempt.outcome?.kind === "failure");
      assert.match(attempt.outcome.error, /\(secret db\)/);
      assert.ok(!`${attempt.log}${attempt.outcome.error}`.includes(value));
      assert.deepEqual(await fs.readdir(`${bench.home}/scratch/tasks`), []);
    });
  }
  it("are several at a time, and gone in the next task", async () => {
    const secrets = ["/secrets/a", "/secrets/b"].map((mountPath) => ({ name: "db", mountPath }));
    const attempt = await bench.sh("ls /secrets /secrets/a /secrets/b", { secrets });
    assert.match(attempt.log, /^\/secrets:\na\nb\n\n\/secrets\/a:\npassword\n/);
    assert.equal((await bench.sh("ls -A /secrets")).log, "");
  });
  it("that cannot be shown fail the task, with what helps", async () => {
    const table: readonly (readonly [string, string, RegExp])[] = [
      [
        "nope",
        "/secrets/x",
        /secret nope at \/secrets\/x: this worker does not know it. Make it known/,
      ],
      ["db", "/etc/not_there", /Cannot show a secret at \/etc\/not_there: .* \/secrets\/db$/],
    ];
    for (const [name, mountPath, error] of table) {
      const attempt = await bench.sh("true", { secrets: [{ name, mountPath }] });
      assert.ok(attempt.outcome?.kind === "failure");
      assert.match(attempt.outcome.error, error);
    }
  });
});
