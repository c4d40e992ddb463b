// Goal: whatever a user's command does, its job ends as it should, says why, leaves no process behind, and
// the daemon goes on.
// Method: pipelines over one commit, each with a command that misbehaves in its own way.
import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import type { JobInfo } from "../../src/model/job.ts";
import { openTestDaemon, type TestDaemon } from "./testing/daemon.ts";

interface Misdeed {
  readonly cmd: readonly string[];
  readonly acceptReturnCode?: readonly number[];
  /** How the job ends. */
  readonly ends: "success" | "failure";
  /** What the error of a failed job says, and the log of one that succeeded. */
  readonly says?: RegExp;
}

/** What is kept of a command's output, and the little that is added. */
const logBytesMax = 12_000_000;

const sh = (script: string): string[] => ["sh", "-c", script];

/** By the name of the pipeline. */
const misdeeds: Readonly<Record<string, Misdeed>> = {
  does_nothing: { cmd: ["true"], ends: "success" },
  missing: { cmd: ["no_such_program"], ends: "failure", says: /"no_such_program" was not found/ },
  not_executable: { cmd: ["/etc/passwd"], ends: "failure", says: /is not executable/ },
  a_directory: { cmd: ["/tmp"], ends: "failure", says: /is a directory/ },
  exits_1: { cmd: sh("echo because >&2; exit 1"), ends: "failure", says: /exit status 1\nbecause/ },
  exits_42: { cmd: sh("exit 42"), ends: "failure", says: /exit status 42/ },
  exits_42_accepted: { cmd: sh("exit 42"), acceptReturnCode: [42], ends: "success" },
  killed: { cmd: sh("kill -SEGV $$"), ends: "failure", says: /signal SIGSEGV/ },
  writes_input: {
    cmd: sh("echo x >> /pfs/data/log"),
    ends: "failure",
    says: /Read-only file system/,
  },
  writes_host: { cmd: sh("echo x > /etc/mammoth"), ends: "failure", says: /Read-only file system/ },
  writes_host_and_goes_on: {
    cmd: sh("echo x > /etc/mammoth; true"),
    ends: "success",
    says: /Read-only file system/,
  },
  long_line: { cmd: sh("head -c 20000000 /dev/zero | tr '\\0' x"), ends: "success" },
  leaves_sleepers: {
    cmd: sh("for i in $(seq 100); do setsid sleep 4713.5 & done; echo done > /pfs/out/a"),
    ends: "success",
  },
  links_outside: {
    cmd: sh("ln -s /etc/passwd /pfs/out/a"),
    ends: "failure",
    says: /"\/pfs\/out\/a": it is a link to "\/etc\/passwd", outside \/pfs\/out/,
  },
  makes_fifo: { cmd: sh("mkfifo /pfs/out/a"), ends: "failure", says: /it is a named pipe/ },
  makes_socket: {
    // Perl is on every machine that dpkg is; the checkout may lie where commands cannot see it.
    cmd: [
      "perl",
      "-MIO::Socket::UNIX",
      "-e",
      "IO::Socket::UNIX->new(Local => '/pfs/out/a', Listen => 1) or die",
    ],
    ends: "failure",
    says: /it is a socket/,
  },
  makes_device: {
    cmd: sh("mknod /pfs/out/a c 1 3"),
    ends: "failure",
    says: /not permitted|it is a device/,
  },
};

async function createPipeline(daemon: TestDaemon, name: string, deed: Misdeed): Promise<void> {
  const { cmd, acceptReturnCode = [] } = deed;
  const spec = {
    pipeline: { name },
    transform: { cmd, acceptReturnCode },
    inputs: [{ repo: { name: "data" } }],
  };
  await daemon.ok(["create-pipeline"], { stdin: JSON.stringify(spec) });
}

async function jobOf(daemon: TestDaemon, pipeline: string): Promise<JobInfo> {
  for (;;) {
    const answer = await daemon.fetch(`/jobs?pipeline=${pipeline}`);
    const [job] = ((await answer.json()) as { jobs: JobInfo[] }).jobs;
    if (job !== undefined) return job;
    await sleep(50);
  }
}

async function ended(daemon: TestDaemon, pipeline: string): Promise<JobInfo> {
  const { id } = await jobOf(daemon, pipeline);
  return (await (await daemon.fetch(`/jobs/${id}?waitMs=60000`)).json()) as JobInfo;
}

/** Processes whose command line has this text. */
function processesLike(part: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(part);
    } catch {
      return false;
    }
  });
}

async function dataDaemon(t: Parameters<typeof openTestDaemon>[0]): Promise<TestDaemon> {
  const daemon = await openTestDaemon(t);
  await daemon.ok(["create-repo", "data"]);
  await daemon.ok(["put-file", "data", "master", "log", "-c"], { stdin: "a line\n" });
  return daemon;
}

test("a command that misbehaves fails its job in words, and harms nothing else", async (t) => {
  const daemon = await dataDaemon(t);
  for (const [name, deed] of Object.entries(misdeeds)) await createPipeline(daemon, name, deed);
  for (const [name, deed] of Object.entries(misdeeds)) {
    const job = await ended(daemon, name);
    const log = await (await daemon.fetch(`/jobs/${job.id}/logs`)).text();
    const shown = `${name}: ${job.state} ${job.error}\n${log.slice(0, 1_000)}`;
    assert.equal(job.state, deed.ends, shown);
    assert.ok(log.length < logBytesMax, `${name}: a log of ${log.length} bytes`);
    if (deed.says === undefined) continue;
    assert.match(deed.ends === "failure" ? (job.error ?? "") : log, deed.says, shown);
  }
  const { code, stderr } = await daemon.pachctl(["flush-commit", "data/master/0", "-r", "missing"]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^commit missing\/\w+\/0 was cancelled: the job that wrote it failed: .+\nSee what it printed with "pachctl get-logs \w{32}"/,
  );
  await requireAmbiguous(daemon);
  assert.deepEqual(processesLike("4713.5"), []);
  assert.equal(await daemon.ok(["get-file", "data", "master", "log"]), "a line\n");
  assert.doesNotMatch(daemon.log, /"level":(?:50|60)/);
});

/** Of 17 jobs two begin with the same hex digit. */
async function requireAmbiguous(daemon: TestDaemon): Promise<void> {
  const { jobs } = (await (await daemon.fetch("/jobs")).json()) as { jobs: JobInfo[] };
  const digits = jobs.map(({ id }) => id.slice(0, 1));
  const shared = digits.find((digit, index) => digits.indexOf(digit) !== index) ?? "";
  const { code, stderr } = await daemon.pachctl(["inspect-job", shared]);
  assert.equal(code, 1);
  assert.match(stderr, /^job \w is ambiguous: it may be \w{32}, \w{32}. Type more characters\n$/);
}

const forEver: Misdeed = { cmd: sh("trap '' TERM; sleep 4714.5 & sleep 4714.5"), ends: "failure" };

/** Starts a command that runs for ever, and waits until it does. */
async function runForEver(daemon: TestDaemon, pipeline: string): Promise<void> {
  await createPipeline(daemon, pipeline, forEver);
  while (processesLike("4714.5").length < 3) await sleep(50);
}

test("a command that runs for ever is stopped by delete-pipeline and by SIGTERM", async (t) => {
  const daemon = await dataDaemon(t);
  await runForEver(daemon, "deleted");
  let startedMs = performance.now();
  const deleted = await daemon.fetch("/pipelines/deleted", { method: "DELETE" });
  assert.equal(deleted.status, 204);
  while (processesLike("4714.5").length > 0) await sleep(20);
  assert.ok(performance.now() - startedMs < 3_000, `${performance.now() - startedMs} ms`);
  assert.equal(await (await daemon.fetch("/jobs")).text(), '{"jobs":[]}');
  await runForEver(daemon, "terminated");
  startedMs = performance.now();
  assert.equal(await daemon.stop(), 0);
  assert.ok(performance.now() - startedMs < 12_000, `${performance.now() - startedMs} ms`);
  assert.deepEqual(processesLike("4714.5"), []);
});
