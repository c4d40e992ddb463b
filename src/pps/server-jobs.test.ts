import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { localPrincipal } from "../model/principal.ts";
import type { OutputChange } from "../model/output-change.ts";
import { nameIn, type ServerSpec } from "../model/server-work.ts";
import type { JobInfo } from "../model/job.ts";
import type { Transform } from "../model/spec-schema.ts";
import { listed, never, type Files } from "../pfs/testing/open-test-pfs.ts";
import type { ListedObject } from "../model/source-bucket.ts";
import { createServerJob } from "./create-server-job.ts";
import { restartJob } from "./job-verbs.ts";
import { claimTasks, reportTask, storeTaskOutput, type Assignment } from "./tasks.ts";
import { MemBucket } from "./testing/mem-bucket.ts";
import { openTestPps, type TestPps } from "./testing/open-test-pps.ts";

const spec: ServerSpec = { routes: ["/map"], parallel: 1, timeoutMs: 0, dir: "in", limit: 0 };

const transformOf = (server: Partial<ServerSpec>): Transform => ({
  image: "",
  cmd: ["serve"],
  env: {},
  secrets: [],
  stdin: [],
  acceptReturnCode: [],
  debug: false,
  server: { ...spec, ...server },
});

/** A line of jobs on the commits of a repo. */
class Line {
  readonly pps: TestPps;
  /** Names sent by the last job, and how many tasks it took. */
  sent: string[] = [];
  tasks = 0;
  private readonly server: Partial<ServerSpec>;
  /** False for one that only notes what it is sent. */
  answers = true;
  /** True for one that takes nothing. */
  fails = false;
  /** What it reads when it reads objects. */
  readonly bucket = new MemBucket();
  private last: string | undefined;
  private count = 0;

  constructor(pps: TestPps, server: Partial<ServerSpec> = {}) {
    this.pps = pps;
    this.server = server;
    this.pps.deps = { ...pps.deps, openBucket: this.bucket.opener };
  }

  /** Runs a job on a commit; a server answers with what it got in capitals. */
  async run(id: string): Promise<JobInfo> {
    const { deps, pfs } = this.pps;
    const detail = await pfs.deps.metadata.call("findCommit", { repo: "data", id });
    const jobId = `${++this.count}`.padStart(32, "0");
    await createServerJob(deps, localPrincipal, {
      id: jobId,
      parentId: this.last,
      transform: transformOf(this.server),
      input: { repo: "data", uid: detail.info.uid, commitId: detail.info.id },
      outputRepo: "out",
    });
    this.last = jobId;
    return await this.work(jobId);
  }

  /** Does the last job again, which failed. */
  async again(): Promise<JobInfo> {
    const { deps } = this.pps;
    await restartJob(deps, localPrincipal, this.last!, { failedOnly: false });
    return await this.work(this.last!);
  }

  private async work(jobId: string): Promise<JobInfo> {
    const { deps } = this.pps;
    this.sent = [];
    this.tasks = 0;
    await this.pps.events();
    for (;;) {
      const assignments = await claimTasks(deps, { worker: "w", count: 8 });
      if (assignments.length === 0) break;
      for (const assignment of assignments) await this.serve(assignment);
    }
    await this.pps.events();
    return await this.pps.job(jobId);
  }

  private async serve(assignment: Assignment): Promise<void> {
    const { deps, pfs } = this.pps;
    const { server, claim } = assignment;
    assert.ok(server !== undefined);
    this.tasks++;
    if (this.fails) return await reportTask(deps, claim, "it fails", { isFinal: true });
    const id = assignment.env["PACH_DATA_COMMIT_ID"]!;
    const changes: OutputChange[] = server.gone.map((path) => ({ kind: "delete", path }));
    const answer = (path: string, text: string): void => {
      const bytes = Buffer.from(text.toUpperCase());
      const content = (): AsyncIterable<Uint8Array> => listed([bytes]);
      changes.push({ kind: "replace", path, bytes: bytes.length, content });
    };
    let all = "";
    for (const { path, bytes, version } of server.files) {
      this.sent.push(nameIn(server, path));
      if (!this.answers) continue;
      const text =
        version === undefined
          ? await pfs.get({ repo: "data", id }, path)
          : this.bucket.textOf(path)!;
      assert.equal(bytes, text.length);
      all += text;
      if (server.output === undefined) answer(nameIn(server, path), text);
    }
    if (server.output !== undefined) answer(server.output, all);
    await storeTaskOutput(deps, assignment, listed(changes), never);
    await reportTask(deps, claim, undefined);
  }
}

/** Makes a commit in which the directory holds exactly these files. */
async function commit({ pfs }: TestPps, now: Files, next: Record<string, string>): Promise<string> {
  const name = { repo: "data", id: await pfs.start("data") };
  await pfs.put(name, "in/deep/er", "not its business", true);
  for (const path of Object.keys(now)) if (!(path in next)) await pfs.delete(name, `in/${path}`);
  for (const [path, text] of Object.entries(next))
    if (now[path] !== text) await pfs.put(name, `in/${path}`, text, true);
  await pfs.finish(name);
  return name.id;
}

const nameList = ["a", "b", "b c", "é", "ü.txt", "deep.txt", "~"];
const names = fc.constantFrom(...nameList);
const state = fc.dictionary(names, fc.constantFrom("x", "yy", ""), {
  maxKeys: 6,
  noNullPrototype: true,
});
const states = fc.array(state, { minLength: 1, maxLength: 4 });

/** Two of the names as keys whose order is another one name by name. */
function keyOf(name: string): string {
  return name === "~" ? "b.d-" : name.replace("deep.txt", "b.d/e");
}

function sortedBy(key: string): string {
  return Buffer.from(key.replaceAll("/", "\0")).toString("latin1");
}

describe("a job whose command is a server", () => {
  it("sends what has changed, and has the output of all that is there", async () => {
    await fc.assert(
      fc.asyncProperty(states, fc.constantFrom(1, 2, 3), async (days, slots) => {
        const pps = openTestPps({ after: () => undefined }, { slots });
        const line = new Line(pps);
        await pps.pfs.repo("data");
        let now: Record<string, string> = {};
        for (const next of days) {
          const info = await line.run(await commit(pps, now, next));
          assert.equal(info.state, "success");
          const output = await pps.pfs.files(info.outputCommit!);
          const upper = Object.entries(next).map(([path, text]) => [path, text.toUpperCase()]);
          assert.deepEqual(output, Object.fromEntries(upper));
          const changed = Object.keys(next).filter((path) => next[path] !== now[path]);
          assert.deepEqual(line.sent.toSorted(), changed.toSorted());
          assert.ok(line.tasks <= Math.min(slots, 7));
          now = next;
        }
        await pps.close();
      }),
      { numRuns: 12 },
    );
  });
  it("sends all files again as one stream when one of them has changed, and none when none has", async (t) => {
    const pps = openTestPps(t);
    const line = new Line(pps, { output: "sums", routes: ["/reduce"] });
    await pps.pfs.repo("data");
    const days = [
      [{}, { b: "2", a: "1" }, ["a", "b"], "12"],
      [{ b: "2", a: "1" }, { b: "2", a: "1" }, [], "12"],
      [{ b: "2", a: "1" }, { b: "3", a: "1" }, ["a", "b"], "13"],
      [{ b: "3", a: "1" }, { b: "3" }, ["b"], "3"],
    ] as const;
    for (const [now, next, sent, sums] of days) {
      const info = await line.run(await commit(pps, now, next));
      assert.deepEqual(line.sent, sent);
      assert.deepEqual(await pps.pfs.files(info.outputCommit!), { sums });
    }
  });
  it("does the same with objects of S3, also after a job that failed, or was started again", async () => {
    const deeds = fc.constantFrom("", "fail", "restart");
    const steps = fc.array(fc.tuple(state, deeds), { minLength: 2, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (parts, isReduced) => {
        const pps = openTestPps({ after: () => undefined }, { slots: 2 });
        const output = isReduced ? { output: "sums" } : {};
        const line = new Line(pps, { dir: "", objects: "s3://inputs/", ...output });
        await pps.pfs.repo("data");
        line.bucket.put("always", "there");
        let before = new Map<string, string>();
        for (const [next, deed] of parts) {
          for (const name of nameList) {
            const text = next[name];
            const key = keyOf(name);
            if (text === undefined) line.bucket.delete(key);
            else if (line.bucket.textOf(key) !== text) line.bucket.put(key, text);
          }
          const all: ListedObject[] = [];
          for await (const object of line.bucket.list("")) all.push(object);
          all.sort((one, other) => (sortedBy(one.key) < sortedBy(other.key) ? -1 : 1));
          line.fails = deed !== "";
          const id = await pps.pfs.commit("data", { other: "x" });
          let info = await line.run(id);
          const changed = all.filter(({ key, version }) => before.get(key) !== version);
          const isSame = changed.length === 0 && all.length === before.size;
          // Where nothing is to be done there is nothing to fail at.
          const hasFailed = deed !== "" && !isSame;
          assert.equal(info.state, hasFailed ? "failure" : "success", info.error ?? "");
          line.fails = false;
          if (hasFailed && deed === "fail") continue;
          if (hasFailed) info = await line.again();
          assert.equal(info.state, "success", info.error ?? "");
          const texts = all.map(
            ({ key }) => [key, (line.bucket.textOf(key) ?? "").toUpperCase()] as const,
          );
          const sums = texts.map(([, text]) => text).join("");
          const found = Object.entries(await pps.pfs.files(info.outputCommit!));
          const files = Object.fromEntries(found.filter(([, text]) => text !== null));
          assert.deepEqual(files, isReduced ? { sums } : Object.fromEntries(texts));
          const sent = isReduced ? (isSame ? [] : all) : changed;
          const keys = sent.map(({ key }) => key);
          assert.deepEqual(line.sent.toSorted(), keys.toSorted());
          before = new Map(all.map(({ key, version }) => [key, version]));
        }
        assert.equal(line.bucket.open, 0);
        await pps.close();
      }),
      { numRuns: 5 },
    );
  });
  it("takes the first files by name when there is a limit", async (t) => {
    const pps = openTestPps(t, { slots: 2 });
    const line = new Line(pps, { limit: 2 });
    await pps.pfs.repo("data");
    const first = await line.run(await commit(pps, {}, { c: "3", b: "2", a: "1" }));
    assert.deepEqual(await pps.pfs.files(first.outputCommit!), { a: "1", b: "2" });
    const second = await line.run(await commit(pps, { a: "1" }, {}));
    assert.deepEqual(await pps.pfs.files(second.outputCommit!), { b: "2", c: "3" });
    assert.deepEqual(line.sent, ["c"]);
  });
  it("divides many files among tasks, two thousand each at most", async (t) => {
    const pps = openTestPps(t, { slots: 2 });
    const line = new Line(pps);
    line.answers = false;
    await pps.pfs.repo("data");
    const name = { repo: "data", id: await pps.pfs.start("data") };
    const files = Array.from({ length: 4_500 }, (_, i) => ({
      path: `in/${i}`,
      overwrite: true,
      content: Buffer.from(`${i}`),
    }));
    await pps.pfs.putAll(name, files);
    await pps.pfs.finish(name);
    const info = await line.run(name.id);
    assert.equal(info.state, "success");
    assert.equal(line.tasks, 3);
    assert.equal(new Set(line.sent).size, 4_500);
  });
  for (const [what, path] of [
    ["is not there", "other/x"],
    ["is a file", "in"],
  ] as const) {
    it(`fails, saying so, when the directory ${what}`, async (t) => {
      const pps = openTestPps(t);
      await pps.pfs.repo("data");
      const { state, error } = await new Line(pps).run(
        await pps.pfs.commit("data", { [path]: "x" }),
      );
      assert.equal(state, "failure");
      assert.match(error!, /There is no directory \/in in the input.*Correct "input" of the job$/);
    });
  }
});
