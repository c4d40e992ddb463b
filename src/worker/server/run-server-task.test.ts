import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, it } from "node:test";
import { systemClock, type Clock } from "../../base/clock.ts";
import { probeNamespaces } from "../../runner/index.ts";
import type { ServerWork } from "../../model/server-work.ts";
import type { ClaimedTask } from "../worker-host.ts";
import type { MemAttempt } from "../testing/mem-worker-host.ts";
import { openWorkerBench } from "../testing/worker-bench.ts";
import { bodyOf, MemServerRunner, type Handler } from "./testing/mem-server-runner.ts";

const mapWork: ServerWork = {
  routes: ["/map", "/{name}"],
  parallel: 10,
  timeoutMs: 0,
  dir: "in",
  limit: 0,
  files: [],
  gone: [],
};

const files = { "in/a": "apple", "in/b c": "pear", "in/é": "fig" };

/** Twenty times as fast as the machine's. */
const quick: Clock = {
  nowMicros: () => systemClock().nowMicros(),
  monotonicMs: () => systemClock().monotonicMs() * 20,
  sleep: async (ms, signal) => await systemClock().sleep(ms / 20, signal),
};

/** Runs a task against a server; `work` changes what is to be done. */
async function serve(
  handler: Handler,
  work: Partial<ServerWork> = {},
  view: Readonly<Record<string, string>> = files,
): Promise<Served> {
  return await serveOn(new MemServerRunner(handler), work, view);
}

interface Served {
  readonly attempt: MemAttempt;
  readonly runner: MemServerRunner;
  readonly outputs: Record<string, string>;
}

async function serveOn(
  runner: MemServerRunner,
  work: Partial<ServerWork> = {},
  view: Readonly<Record<string, string>> = files,
): Promise<Served> {
  const bench = await openWorkerBench({ runner, clock: quick });
  try {
    const ref = bench.host.addView(view);
    const sent = Object.entries(view).map(([path, text]) => ({
      path,
      bytes: Buffer.byteLength(text),
    }));
    const task: Partial<ClaimedTask> & { cmd: readonly string[] } = {
      cmd: ["server"],
      inputs: [{ name: "data", view: ref }],
      server: { ...mapWork, files: sent, ...work },
    };
    const attempt = await bench.run(task);
    assert.equal(runner.running, 0, "the server still runs");
    const outputs = (attempt.changes ?? []).map(({ path, content }) => [path, content]);
    return { attempt, runner, outputs: Object.fromEntries(outputs) };
  } finally {
    await bench.close();
  }
}

function failureOf({ outcome }: MemAttempt): { error: string; isFinal?: boolean } {
  assert.ok(outcome?.kind === "failure");
  return outcome;
}

const upper = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  response.end((await bodyOf(request)).toUpperCase());
};

describe("runServerTask()", () => {
  it("POSTs each file to /map and keeps each answer under the name of its file", async () => {
    const seen: (string | undefined)[][] = [];
    const { attempt, outputs } = await serve((request, response) => {
      const { method, url, headers } = request;
      seen.push([method, url, headers["content-type"], headers["x-file"] as string]);
      void upper(request, response);
    });
    assert.deepEqual(attempt.outcome, { kind: "success", hasOutput: true });
    assert.deepEqual(outputs, { a: "APPLE", "b c": "PEAR", é: "FIG" });
    assert.deepEqual(
      seen.toSorted((a, b) => (String(a) < String(b) ? -1 : 1)),
      [
        ["POST", "/map", "application/text", "%C3%A9"],
        ["POST", "/map", "application/text", "a"],
        ["POST", "/map", "application/text", "b%20c"],
      ],
    );
  });
  it("POSTs to /NAME, escaped, when the server does not know /map, and remembers it", async () => {
    const seen: string[] = [];
    const handler: Handler = (request, response) => {
      seen.push(request.url!);
      if (request.url === "/map") response.writeHead(404).end();
      else void upper(request, response);
    };
    const { outputs } = await serve(handler, { parallel: 1 });
    assert.deepEqual(outputs, { a: "APPLE", "b c": "PEAR", é: "FIG" });
    assert.deepEqual(seen, ["/map", "/a", "/b%20c", "/%C3%A9"]);
  });
  it("takes a 404 for an answer about the file once the server has taken one", async () => {
    const { attempt } = await serve(
      (request, response) => {
        if (request.headers["x-file"] === "a") void upper(request, response);
        else response.writeHead(404).end("no such game\n");
      },
      { parallel: 1 },
    );
    const { error, isFinal } = failureOf(attempt);
    assert.equal(isFinal, true);
    assert.match(error, /^2 of 3 files failed\nb c: POST \/map: 404 Not Found: no such game\n/);
  });
  it("fails a file that is refused at once, with status and first line, and sends the others", async () => {
    let requests = 0;
    const { attempt } = await serve((request, response) => {
      requests++;
      if (request.headers["x-file"] !== "b%20c") void upper(request, response);
      else response.writeHead(422).end("not a game\nsecond line");
    });
    const { error, isFinal } = failureOf(attempt);
    const expected = "1 of 3 files failed\nb c: POST /map: 422 Unprocessable Entity: not a game";
    assert.equal(error, expected);
    assert.equal(isFinal, true);
    assert.equal(requests, 3);
    assert.equal(attempt.changes, undefined);
  });

  const busy: readonly [string, (response: ServerResponse) => void][] = [
    ["500", (response) => void response.writeHead(500).end("busy")],
    ["503", (response) => void response.writeHead(503).end()],
    ["429", (response) => void response.writeHead(429).end()],
    ["closes at once", (response) => void response.destroy()],
    [
      "sends half a body",
      (response) => {
        response.writeHead(200, { "content-length": 100 });
        response.write("half", () => response.destroy());
      },
    ],
    [
      "breaks off a chunked body",
      (response) => {
        response.writeHead(200);
        response.write("half", () => response.destroy());
      },
    ],
  ];
  for (const [name, fail] of busy) {
    it(`sends a file again, whole, when the server ${name}`, async () => {
      let tries = 0;
      const handler: Handler = (request, response) => {
        if (++tries < 3) fail(response);
        else void upper(request, response);
      };
      const { attempt, outputs } = await serve(handler, {}, { "in/a": "apple".repeat(20_000) });
      assert.deepEqual(attempt.outcome, { kind: "success", hasOutput: true });
      assert.equal(outputs["a"], "APPLE".repeat(20_000));
      assert.equal(tries, 3);
      assert.match(attempt.log, /^a: POST \/map: .*; try 2 of 5$/m);
    });
  }
  it("gives a file up after five tries, and says what came of them", async () => {
    let tries = 0;
    const { attempt } = await serve(
      (_request, response) => {
        tries++;
        response.writeHead(500).end("boom");
      },
      {},
      { "in/a": "x" },
    );
    assert.equal(tries, 5);
    const expected = "1 of 1 files failed\na: POST /map: 500 Internal Server Error: boom (5 times)";
    assert.equal(failureOf(attempt).error, expected);
  });
  it("sends a file again when the answer takes longer than the timeout", async () => {
    let tries = 0;
    const handler: Handler = (request, response) => {
      if (++tries > 1) void upper(request, response);
    };
    const { attempt, outputs } = await serve(handler, { timeoutMs: 2_000 }, { "in/a": "x" });
    assert.deepEqual(outputs, { a: "X" });
    assert.match(attempt.log, /no whole answer within 2 s \(timeout\); try 1 of 5/);
  });
  it("takes an early refusal of a large body for what it is", async () => {
    const { attempt } = await serve(
      (_request, response) => void response.writeHead(413).end("too large"),
      {},
      { "in/a": "x".repeat(3_000_000) },
    );
    assert.match(failureOf(attempt).error, /a: POST \/map: 413 Payload Too Large: too large$/);
  });
  it("says how the server ended when it ends under the work, and another attempt may follow", async () => {
    const { attempt } = await serve((_request, _response, end) => end(3));
    const { error, isFinal } = failureOf(attempt);
    assert.match(error, /^Cannot use the web server: it ended: exit status 3/);
    assert.notEqual(isFinal, true);
  });
  it("uses connections again, and makes no more requests at a time than it may", async () => {
    const view = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`in/${i}`, `${i}`]));
    const { runner, outputs } = await serve(
      (request, response) => void setImmediate(() => void upper(request, response)),
      { parallel: 7 },
      view,
    );
    assert.equal(Object.keys(outputs).length, 200);
    assert.ok(runner.requestsMost <= 7, `${runner.requestsMost} requests`);
    // One more knocked at the door.
    assert.ok(runner.connections <= 8, `${runner.connections} connections`);
  });
  it("sends all files as one stream when the answer is one file", async () => {
    const seen: string[] = [];
    const { outputs } = await serve(
      (request, response) => {
        seen.push(`${request.url} ${request.headers["content-length"]}`);
        void upper(request, response);
      },
      { routes: ["/reduce", "/job/counts"], output: "sums" },
    );
    assert.deepEqual(outputs, { sums: "APPLEPEARFIG" });
    assert.deepEqual(seen, ["/reduce 12"]);
  });
  it("deletes the output of files that are gone without starting the server", async () => {
    const { attempt } = await serve(() => assert.fail("started"), { files: [], gone: ["old"] });
    assert.deepEqual(attempt.changes, [{ kind: "delete", path: "old", content: "" }]);
  });
  it("gives up a server that does not listen within a minute", async () => {
    const deaf = new MemServerRunner(() => undefined, "loading\n");
    deaf.listens = false;
    const { attempt } = await serveOn(deaf);
    const expected =
      /: it does not listen on port \d+ \(the variable PORT says it\) after 60 s\nloading$/;
    assert.match(failureOf(attempt).error, expected);
  });
  it("keeps answers that are too large for memory on disk", async () => {
    const large = { "in/a": "x".repeat(1_000_000), "in/b": "" };
    const { outputs } = await serve(
      (request, response) => void upper(request, response),
      {},
      large,
    );
    assert.deepEqual(outputs, { a: "X".repeat(1_000_000), b: "" });
  });
});

const probe = await probeNamespaces();

describe("runServerTask() with a program", { skip: probe.works ? false : probe.reason }, () => {
  const program = (script: string): Partial<ClaimedTask> & { cmd: readonly string[] } => ({
    cmd: ["python3", "-u", "-c", script],
    server: { ...mapWork, files: [{ path: "in/a", bytes: 5 }] },
  });
  const run = async (script: string): Promise<MemAttempt> => {
    const bench = await openWorkerBench();
    try {
      const view = bench.host.addView({ "in/a": "apple" });
      return await bench.run({ ...program(script), inputs: [{ name: "data", view }] });
    } finally {
      await bench.close();
    }
  };

  it("waits until it listens, and logs what it prints", async () => {
    const attempt = await run(`
import http.server, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body[::-1])
print("getting ready")
time.sleep(0.3)
http.server.HTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
`);
    assert.deepEqual(attempt.outcome, { kind: "success", hasOutput: true });
    assert.deepEqual(attempt.changes, [{ kind: "replace", path: "a", content: "elppa" }]);
    assert.match(attempt.log, /^getting ready\n/);
  });
  it("says what a program said that ends before it listens", async () => {
    const attempt = await run(`raise SystemExit("no stockfish here")`);
    const expected = "Cannot use the web server: it ended: exit status 1\nno stockfish here";
    assert.equal(failureOf(attempt).error, expected);
  });
});
