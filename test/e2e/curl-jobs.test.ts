// Goal: the jobs of pfs 0.4 run as its documents say, and fail as they should. Method: a real daemon that answers to the
// name pfs, the real curl, a real web server for Python, as a process and in a container; the shell has the right answer.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { probeNamespaces } from "../../src/runner/index.ts";
import { images, makeImages, testDocker } from "../../src/runner/docker/testing/test-docker.ts";
import { openShell, type Shell } from "./testing/curl-shell.ts";
import { wordServer } from "./testing/word-server.ts";

const probe = await probeNamespaces();
const skip = probe.works ? false : probe.reason;
const command = ["python3", "-u", "-c", wordServer];

interface JobOfRun {
  readonly name: string;
  readonly state: string;
  readonly error?: string;
  readonly tasks: number;
}

/** The newest run, once it has ended. */
async function lastRun(shell: Shell): Promise<{ id: string; state: string; jobs: JobOfRun[] }> {
  for (;;) {
    const [line = ""] = (await shell.prints("curl pfs/run")).split("\n");
    const run = JSON.parse(line) as Awaited<ReturnType<typeof lastRun>>;
    if (run.state !== "running") return run;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Names of the files that the servers of the newest run were sent, by job. */
async function sentTo(shell: Shell, job: string): Promise<string[]> {
  const log = await shell.prints(`curl pfs/run/${(await lastRun(shell)).id}/log`);
  const sent = log.matchAll(new RegExp(`^${job} \\| \\d+ \\| /\\S* (\\S+)$`, "gm"));
  return [...sent].map(([, name]) => name!).toSorted();
}

function describe(shell: Shell, name: string, job: object): void {
  shell.write(`${name}.json`, JSON.stringify(job));
}

async function put(shell: Shell, path: string, text: string): Promise<void> {
  await shell.prints(`curl -XPOST pfs/file/${path} --data-binary @-`, Buffer.from(text));
}

/** The lines of the documents, in their order, with a job that maps and one that reduces. */
async function documentedLines(shell: Shell, image: string): Promise<void> {
  const files = { one: "the quick\nthe dog\n", two: "a dog\n", three: "", "é b": "the end\n" };
  for (const [name, text] of Object.entries(files)) {
    shell.write(name, text);
    await shell.type(`curl -XPOST 'pfs/file/texts/${encodeURIComponent(name)}' -T '${name}'`);
  }
  describe(shell, "count", { type: "map", input: "texts", image, command, parallel: 5 });
  describe(shell, "sums", { type: "reduce", input: "job/count", image, command });
  const created = /^Created data\/master\/job\/(count|sums), size: \d+\.\n$/;
  for (const job of ["count", "sums"])
    assert.match(await shell.prints(`curl -XPOST pfs/job/${job} -T ${job}.json`), created);
  assert.equal(await shell.prints("curl pfs/run"), "");
  assert.equal(await shell.prints("curl -XPOST pfs/commit?run"), "master/0\n");
  const count = "tr -s '[:space:]' '\\n' | LC_ALL=C sort | uniq -c";
  const expected = await shell.prints(`cat one two three 'é b' | ${count}`);
  assert.equal(await shell.prints("curl pfs/job/sums/file/*?commit=master/0"), expected);
  assert.equal(await shell.prints("curl -XGET pfs/job/sums/file/sums?commit=master/0"), expected);
  assert.equal(await shell.prints("curl pfs/job/sums/file?commit=master/0"), expected);
  const two = await shell.prints(`cat two | ${count}`);
  assert.equal(await shell.prints("curl -XGET pfs/job/count/file/two?commit=master/0"), two);
  assert.equal(await shell.prints("curl pfs/job/count/file/t[w-z]o?commit=master/0 -g"), two);
  assert.equal((await lastRun(shell)).state, "success");
  assert.match(await shell.prints("curl -XGET pfs/job/sums"), /^\{"type":"reduce",/);
  assert.equal(await shell.prints("curl -XDELETE pfs/job/sums"), "Deleted data/master/job/sums.\n");
  assert.equal(await shell.status("curl -XGET pfs/job/sums"), "404");
  assert.equal(await shell.status("curl -XGET pfs/job/sums?commit=master/0"), "200");
}

test("every line of the documents about jobs does what they say", { skip }, async (t) => {
  await documentedLines(await openShell(t), "any");
});

test("and in containers", { skip: testDocker.skip }, async (t) => {
  await makeImages("python");
  // The daemon has our environment.
  process.env["DOCKER_HOST"] = testDocker.address;
  const shell = await openShell(t, ["--runner", "docker"]);
  try {
    await documentedLines(shell, images.python);
  } finally {
    // Killed, it would leave its mounts.
    await shell.daemon.stop();
  }
});

test(
  "only what has changed is sent again, and what is gone is gone from the output",
  { skip },
  async (t) => {
    const shell = await openShell(t);
    for (let i = 0; i < 30; i++) await put(shell, `texts/${i}`, `word${i} the\n`);
    describe(shell, "count", { type: "map", input: "texts", command });
    describe(shell, "sums", { type: "reduce", input: "job/count", command });
    await shell.type(
      "curl -XPOST pfs/job/count -T count.json; curl -XPOST pfs/job/sums -T sums.json",
    );
    const sums = async (): Promise<string> =>
      await shell.prints(
        "c=$(curl -XPOST pfs/commit?run); curl pfs/job/sums/file/sums?commit=$c | tail -n 2",
      );
    assert.equal(await sums(), "      1 word8\n      1 word9\n");
    assert.equal((await sentTo(shell, "count")).length, 30);
    await put(shell, "texts/9", "word9 word9 the\n");
    assert.equal(await sums(), "      1 word8\n      2 word9\n");
    assert.deepEqual(await sentTo(shell, "count"), ["9"]);
    assert.deepEqual(
      (await lastRun(shell)).jobs.map(({ tasks }) => tasks),
      [1, 1],
    );
    await shell.type("curl -XDELETE pfs/file/texts/9");
    assert.equal(await sums(), "      1 word7\n      1 word8\n");
    assert.deepEqual(await sentTo(shell, "count"), []);
    assert.equal(await shell.status("curl pfs/job/count/file/9?commit=master/2"), "404");
    await put(shell, "elsewhere", "x\n");
    assert.equal(await sums(), "      1 word7\n      1 word8\n");
    assert.deepEqual(
      (await lastRun(shell)).jobs.map(({ tasks }) => tasks),
      [0, 0],
    );
    await shell.type("curl -XPOST pfs/commit?run=fresh");
    assert.equal((await sentTo(shell, "count")).length, 29);
    describe(shell, "count", { type: "map", input: "texts", command, limit: 2 });
    await shell.type("curl -XPOST pfs/job/count -T count.json");
    assert.equal(await sums(), "      1 word0\n      1 word1\n");
    // Each output is there as it was.
    const first = await shell.prints("curl pfs/job/sums/file/sums?commit=master/0 | head -n 1");
    assert.equal(first, "     30 the\n");
  },
);

test("what fails is said, and nothing of it is an output", { skip }, async (t) => {
  const shell = await openShell(t);
  await put(shell, "texts/good", "good\n");
  await put(shell, "texts/bad", "poison\n");
  describe(shell, "count", { type: "map", input: "texts", command });
  describe(shell, "sums", { type: "reduce", input: "job/count", command });
  describe(shell, "dies", { type: "map", input: "texts", command: "echo no engine here; exit 3" });
  describe(shell, "lost", { type: "map", input: "nowhere", command });
  for (const job of ["count", "sums", "dies", "lost"])
    await shell.type(`curl -XPOST pfs/job/${job} -T ${job}.json`);
  await shell.type("curl -XPOST pfs/commit?run");
  const { jobs, state } = await lastRun(shell);
  assert.equal(state, "failure");
  const errors = Object.fromEntries(jobs.map(({ name, error }) => [name, error ?? ""]));
  assert.match(errors["count"]!, /1 of \d files? failed\nbad: POST \/map: 422 .*: that is poison$/);
  assert.equal(errors["sums"], "it reads job/count, which failed");
  assert.match(errors["dies"]!, /it ended: exit status 3\nno engine here$/);
  assert.match(errors["lost"]!, /There is no directory \/nowhere in the input/);
  const log = await shell.prints("curl pfs/run/$(curl pfs/run | cut -c8-23)/log");
  assert.match(log, /^dies \| \d \| no engine here$/m);
  const refused: readonly (readonly [status: string, line: string])[] = [
    ["409", "curl pfs/job/count/file/good?commit=master/0"],
    ["404", "curl pfs/job/other/file/good?commit=master/0"],
    ["404", "curl pfs/job/count/file/good?commit=master/9"],
    ["400", "curl pfs/job/count/file/good"],
    ["400", "curl 'pfs/job/count/file/good?commit=master/0&wait=long'"],
    ["405", "curl -XPOST pfs/job/count/file/good -d x"],
    ["405", "curl -XPUT pfs/job/count/file/good -d x"],
    ["405", "curl -XDELETE pfs/job/count/file/good"],
    ["405", "curl -XPOST pfs/run"],
    ["405", "curl -XPATCH pfs/job/count"],
    ["404", "curl pfs/run/ffffffff"],
    ["400", "curl -XPOST pfs/job/-x -T count.json"],
    ["400", "curl -XPOST pfs/job/new -d '{'"],
    ["400", `curl -XPOST pfs/job/new -d '{"type":"map","inptu":"texts","command":"x"}'`],
    ["400", `curl -XPOST pfs/job/new -d '{"type":"sort","input":"texts","command":"x"}'`],
    [
      "400",
      `curl -XPOST pfs/job/new -d '{"type":"map","input":"s3://bucket/k?size=1","command":"x"}'`,
    ],
  ];
  for (const [status, line] of refused) {
    assert.equal(await shell.status(line), status, line);
    assert.match(await shell.prints(line), /^[^\n]{20,}\n(?:[^\n]+\n?)*$/, line);
  }
  const never = "curl pfs/job/count/file/good?commit=$(curl -XPOST pfs/commit)";
  assert.match(await shell.prints(never), /it was not run\. .* POST \/commit\?run/);
  describe(shell, "count", { type: "map", input: "job/sums", command });
  await shell.type("curl -XPOST pfs/job/count -T count.json");
  const circle = /^Cannot run the jobs: job\/count reads job\/sums reads job\/count\. /;
  assert.match(await shell.prints("curl -XPOST pfs/commit?run"), circle);
  const open = await shell.prints("curl pfs/commit | wc -l; curl pfs/run | wc -l");
  assert.equal(open.replaceAll(" ", ""), "2\n1\n", "nothing was committed");
});

/** Knows no `/map`; refuses, breaks off and cuts short what it is sent, the first time; then answers in capitals. */
const clumsyServer = `
import http.server, os, urllib.parse
seen = {}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = urllib.parse.unquote(self.headers["X-File"])
        if self.path in ("/map", "/reduce"):
            return self.answer(404, b"no such route")
        os.write(1, (self.path + " " + name + "\\n").encode())
        seen[name] = seen.get(name, 0) + 1
        if seen[name] == 1 and name == "busy":
            return self.answer(503, b"later")
        if seen[name] == 1 and name == "broken":
            return self.connection.close()
        self.answer(200, body.upper(), 5 if seen[name] == 1 and name == "cut" else 0)
    def answer(self, status, body, missing=0):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + missing))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
`;

test("a clumsy server is sent each file until its answer is whole", { skip }, async (t) => {
  const shell = await openShell(t);
  const names = ["broken", "busy", "cut", "fine"];
  for (const name of names) await put(shell, `texts/${name}`, `${name}\n`);
  const clumsy = ["python3", "-u", "-c", clumsyServer];
  describe(shell, "upper", { type: "map", input: "texts", command: clumsy });
  const reduce = { type: "reduce", input: "job/upper", command: clumsy };
  describe(shell, "each", { ...reduce, group: "name" });
  describe(shell, "all", reduce);
  for (const job of ["upper", "each", "all"])
    await shell.type(`curl -XPOST pfs/job/${job} -T ${job}.json`);
  await shell.type("curl -XPOST pfs/commit?run");
  const whole = "BROKEN\nBUSY\nCUT\nFINE\n";
  for (const path of ["upper/file/*", "each/file/*", "all/file/*", "all/file/all", "all/file"])
    assert.equal(await shell.prints(`curl 'pfs/job/${path}?commit=master/0'`), whole, path);
  // Grouped by name, the reduce has an output for each.
  for (const job of ["upper", "each"])
    assert.equal(await shell.prints(`curl pfs/job/${job}/file/cut?commit=master/0`), "CUT\n");
  assert.equal(await shell.prints("curl pfs/job/each/file/b*?commit=master/0"), "BROKEN\nBUSY\n");
  assert.equal(await shell.status("curl pfs/job/all/file/cut?commit=master/0"), "404");
  const twice = ["broken", "broken", "busy", "busy", "cut", "cut", "fine"];
  assert.deepEqual(await sentTo(shell, "upper"), twice);
  assert.deepEqual(await sentTo(shell, "all"), ["all"]);
  const { id } = await lastRun(shell);
  const log = await shell.prints(`curl pfs/run/${id}/log`);
  assert.match(log, /^upper \| \d \| \/busy busy$/m);
  assert.match(log, /^all \| 0 \| \/job\/upper all$/m);
  await put(shell, "texts/fine", "changed\n");
  await shell.type("curl -XPOST pfs/commit?run");
  assert.equal(await shell.prints("curl pfs/job/each/file/fine?commit=master/1"), "CHANGED\n");
  assert.deepEqual(await sentTo(shell, "each"), ["fine"]);
});

test(
  "a run goes on when the daemon was killed, and can be asked for without waiting",
  { skip },
  async (t) => {
    const shell = await openShell(t);
    await runWithKill(t, shell);
  },
);

async function runWithKill(t: TestContext, shell: Shell): Promise<void> {
  for (let i = 0; i < 4; i++) await put(shell, `texts/${i}`, `slowly word${i}\n`);
  describe(shell, "count", { type: "map", input: "texts", command, parallel: 1 });
  describe(shell, "sums", { type: "reduce", input: "job/count", command, route: "/reduce" });
  await shell.type(
    "curl -XPOST pfs/job/count -T count.json; curl -XPOST pfs/job/sums -T sums.json",
  );
  assert.equal(await shell.prints("curl -XPOST pfs/commit?run"), "master/0\n");
  const now = "curl 'pfs/job/sums/file/sums?commit=master/0&wait=0'";
  assert.equal(await shell.status(now), "504");
  await shell.daemon.stop("SIGKILL");
  await shell.daemon.start();
  t.diagnostic("killed and started again");
  const expected = `      4 slowly\n${[0, 1, 2, 3].map((i) => `      1 word${i}\n`).join("")}`;
  assert.equal(await shell.prints("curl pfs/job/sums/file/sums?commit=master/0"), expected);
}
