import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { after, before, describe, it } from "node:test";
import { isCoded } from "../../base/errors.ts";
import type { Runner, RunOutcome, RunSpec, ServerAddress } from "../runner.ts";
import { testPipedRuns } from "./piped.ts";

export interface RunnerUnderTest {
  readonly name: string;
  /** Opens the runner with a scratch directory of its own. */
  open(scratch: string): Promise<Runner>;
  /** False for a runner without isolation: what it cannot promise is left out. */
  readonly isolated: boolean;
  /** False where an end by signal N is only known as exit code 128 + N. Default: true. */
  readonly tellsSignals?: boolean;
  /** False where stdout and stderr come on ways of their own, in nearly the order of arrival. Default: true. */
  readonly ordersOutput?: boolean;
  /** With a POSIX shell and the usual tools. Default: one that a runner without images is given. */
  readonly image?: string;
  /** Of all runs, where the runner makes use of it. */
  readonly group?: string;
  /** A server that answers its port, and the image that can run it. Default: that is not looked at. */
  readonly server?: { readonly image?: string; readonly program: string };
  /** A reason to skip it here. */
  readonly skip?: string | undefined;
}

/** What every runner must do. Commands are of POSIX sh, so any image with a shell will do. */
export function testRunner(under: RunnerUnderTest): void {
  describe(`${under.name} runner`, { skip: under.skip ?? false }, () => {
    let home: string;
    let runner: Runner;

    before(async () => {
      home = await fs.mkdtemp(`${tmpdir()}/mammoth-runner-`);
      await fs.mkdir(`${home}/in/sub`, { recursive: true });
      await fs.mkdir(`${home}/out`);
      await fs.writeFile(`${home}/in/sub/fruit`, "apple\n");
      runner = await under.open(`${home}/scratch`);
    });
    after(async () => {
      await runner.close();
      await fs.rm(home, { recursive: true, force: true });
    });

    const specOf = (cmd: readonly string[], more: Partial<RunSpec> = {}): RunSpec => ({
      id: "conformance",
      ...(under.group === undefined ? {} : { group: under.group }),
      image: under.image ?? "debian:stable",
      cmd,
      env: {},
      stdin: Buffer.alloc(0),
      mounts: [
        { name: "data", hostPath: `${home}/in`, writable: false },
        { name: "out", hostPath: `${home}/out`, writable: true },
      ],
      hidden: [],
      ...more,
    });
    const run = async (
      spec: RunSpec,
      signal = new AbortController().signal,
    ): Promise<{ outcome: RunOutcome; text: string }> => {
      const pieces: Buffer[] = [];
      const outcome = await runner.run(spec, {
        signal,
        output: (piece) => void pieces.push(Buffer.from(piece)),
      });
      return { outcome, text: Buffer.concat(pieces).toString() };
    };
    const sh = async (
      script: string,
      more?: Partial<RunSpec>,
      signal?: AbortSignal,
    ): ReturnType<typeof run> => await run(specOf(["sh", "-c", script], more), signal);

    for (const exitCode of [0, 1, 42, 127, 137, 255]) {
      it(`run() reports exit code ${exitCode}`, async () => {
        assert.deepEqual((await sh(`exit ${exitCode}`)).outcome, { kind: "exited", exitCode });
      });
    }
    for (const [signal, number] of Object.entries({ KILL: 9, TERM: 15, SEGV: 11 })) {
      it(`run() reports SIG${signal} when the command dies of it`, async () => {
        // Of a grandchild where the command itself may be the first process, whom signals do not reach.
        const script =
          under.tellsSignals === false ? `sh -c 'kill -${signal} $$'` : `kill -${signal} $$`;
        const expected: RunOutcome =
          under.tellsSignals === false
            ? { kind: "exited", exitCode: 128 + number }
            : { kind: "signalled", signal: `SIG${signal}` };
        assert.deepEqual((await sh(`${script}; exit $?`)).outcome, expected);
      });
    }
    it("run() says not_started with the name when the command does not exist", async () => {
      const { outcome } = await run(specOf(["no-such-program"]));
      assert.ok(outcome.kind === "not_started", outcome.kind);
      assert.match(outcome.reason, /no-such-program/);
    });
    it("run() says not_started when cmd is empty", async () => {
      assert.equal((await run(specOf([]))).outcome.kind, "not_started");
    });
    it("run() feeds stdin, which may be opened by name", async () => {
      const stdin = Buffer.from("one\ntwo\n");
      assert.equal((await sh("cat; cat /dev/stdin </dev/null", { stdin })).text, "one\ntwo\n");
      assert.equal((await sh("cat /dev/stdin", { stdin })).text, "one\ntwo\n");
    });
    it("run() does not hang when a command leaves a large stdin unread", async () => {
      assert.deepEqual((await sh("exit 3", { stdin: Buffer.alloc(1_000_000, "x") })).outcome, {
        kind: "exited",
        exitCode: 3,
      });
    });
    it("run() gives exactly the environment of the spec, with PATH, HOME and LANG added", async () => {
      const { text } = await run(specOf(["env"], { env: { "A.b": "1 = 2\nx", LANG: "xx" } }));
      const names = text
        .split("\n")
        .filter((line) => line.includes("=") && !line.startsWith("MAMMOTH_RUN="));
      assert.deepEqual(names.map((line) => line.split("=", 1)[0] ?? "").toSorted(), [
        "A.b",
        "HOME",
        "LANG",
        "PATH",
      ]);
      assert.match(text, /^A\.b=1 = 2\nx$/m);
      assert.match(text, /^LANG=xx$/m);
    });
    it("run() starts in / and shows inputs and a writable output below /pfs", async () => {
      const { text } = await sh("pwd; ls /pfs; cat /pfs/data/sub/fruit; echo pear > /pfs/out/new");
      assert.equal(text, "/\ndata\nout\napple\n");
      assert.equal(await fs.readFile(`${home}/out/new`, "utf8"), "pear\n");
    });
    it("run() passes arguments as they are", async () => {
      assert.equal(
        (await run(specOf(["printf", "%s|", "a b", "$HOME", "", "'q'"]))).text,
        "a b|$HOME||'q'|",
      );
    });
    it("run() merges stdout and stderr in the order of arrival", async () => {
      const { text } = await sh(
        "for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; done; echo end >/dev/stderr",
      );
      const expected = "o1\ne1\no2\ne2\no3\ne3\no4\ne4\no5\ne5\nend\n";
      if (under.ordersOutput === false) assert.deepEqual(linesOf(text), linesOf(expected));
      else assert.equal(text, expected);
    });
    it("run() hands on megabytes without a newline, in bounded pieces, to a slow reader", async () => {
      let bytes = 0;
      let pieceBytesMax = 0;
      let inside = 0;
      const outcome = await runner.run(specOf(["head", "-c", "4000000", "/dev/zero"]), {
        signal: new AbortController().signal,
        async output(piece) {
          assert.equal(++inside, 1, "called again before the last call ended");
          bytes += piece.length;
          pieceBytesMax = Math.max(pieceBytesMax, piece.length);
          await new Promise(setImmediate);
          inside--;
        },
      });
      assert.equal(outcome.kind, "exited");
      assert.equal(bytes, 4_000_000);
      assert.ok(pieceBytesMax <= 65_536, `${pieceBytesMax}`);
    });
    it("run() rejects with the error of output and kills the command", async () => {
      const failing = runner.run(specOf(["sh", "-c", "echo x; sleep 60"]), {
        signal: new AbortController().signal,
        output: () => Promise.reject(new Error("full")),
      });
      await assert.rejects(failing, /full/);
    });
    it("run() ends with the command and kills what it left in the background", async () => {
      const { outcome } = await sh("(while :; do date +%N > /pfs/out/tick; done) & sleep 0.1");
      assert.equal(outcome.kind, "exited");
      await assertStill(`${home}/out/tick`);
    });
    it("run() kills the whole tree before it rejects when aborted", async () => {
      const stop = new AbortController();
      const daemon = `trap "" TERM HUP; while :; do date +%N > /pfs/out/daemon; done`;
      const script = `(setsid sh -c '${daemon}' >/dev/null 2>&1 </dev/null &); trap "" TERM; sleep 0.1; echo up; sleep 60; sleep 60`;
      const running = runner.run(specOf(["sh", "-c", script]), {
        signal: stop.signal,
        output: () => stop.abort(),
      });
      await assert.rejects(running, { name: "AbortError" });
      await assertStill(`${home}/out/daemon`);
    });
    it("run() rejects at once when already aborted", async () => {
      await assert.rejects(sh("echo never", {}, AbortSignal.abort()), { name: "AbortError" });
    });
    it("run() runs eight at once without mixing them up", async () => {
      const all = Array.from(
        { length: 8 },
        async (_, i) =>
          await sh("cat; echo $N; exit $N", { stdin: Buffer.from(`${i}:`), env: { N: `${i}` } }),
      );
      (await Promise.all(all)).forEach(({ outcome, text }, i) => {
        assert.deepEqual(outcome, { kind: "exited", exitCode: i });
        assert.equal(text, `${i}:${i}\n`);
      });
    });
    it(
      "run() says where a server can be reached, and tells it its port",
      { skip: under.server === undefined },
      async () => {
        const stop = new AbortController();
        const found = Promise.withResolvers<ServerAddress>();
        const { image, program } = under.server!;
        const cmd = ["python3", "-u", "-c", program];
        const more = { server: { port: 8_123 }, ...(image === undefined ? {} : { image }) };
        let said = "";
        const running = runner.run(specOf(cmd, more), {
          signal: stop.signal,
          output: (piece) => void (said += Buffer.from(piece).toString()),
          reachable: found.resolve,
        });
        const ended = running.then(() => assert.fail(said));
        const rejected = assert.rejects(running, { name: "AbortError" });
        try {
          const { host, port } = await Promise.race([found.promise, ended]);
          const url = `http://${host}:${port}/`;
          assert.equal(await Promise.race([untilAnswered(url), ended]), `${port}`);
          stop.abort();
          await rejected;
          await assert.rejects(fetch(url, { signal: AbortSignal.timeout(300) }));
        } finally {
          stop.abort();
        }
      },
    );
    it("run() does not start a server without a network", async () => {
      const { outcome } = await sh("exit 0", { server: {}, network: "none" });
      assert.ok(outcome.kind === "not_started", outcome.kind);
    });
    it("close() kills what runs and refuses what comes", async () => {
      const other = await under.open(`${home}/scratch-closing`);
      const running = other.run(specOf(["sleep", "60"]), {
        signal: new AbortController().signal,
        output: () => undefined,
      });
      const rejected = assert.rejects(running, { name: "AbortError" });
      await other.close();
      await rejected;
      const late = other.run(specOf(["true"]), {
        signal: new AbortController().signal,
        output: () => undefined,
      });
      await assert.rejects(late, (error: Error) => isCoded(error) || error.name === "AbortError");
    });

    testPipedRuns({ runner: () => runner, specOf });

    if (under.isolated) {
      it("run() shows inputs read-only, and nothing else below /pfs can be made", async () => {
        const { text } = await sh(
          "echo x > /pfs/data/sub/fruit; rm -rf /pfs/data/sub; touch /pfs/new /pfs/data/new; true",
        );
        assert.equal(await fs.readFile(`${home}/in/sub/fruit`, "utf8"), "apple\n");
        assert.deepEqual(await fs.readdir(`${home}/in`), ["sub"]);
        assert.match(text, /Read-only file system/);
      });
      it("run() gives each command a /tmp of its own", async () => {
        await sh("echo secret > /tmp/mine");
        assert.equal((await sh("ls -A /tmp")).text, "");
      });
      it("run() shows hidden directories empty", async () => {
        const hidden = [`${home}/in/sub`, "/usr/share", "/no/such/directory"];
        assert.equal(
          (await sh("ls -A /usr/share; cat /pfs/data/sub/fruit", { hidden })).text,
          "apple\n",
        );
      });
      it("run() shows only its own processes", async () => {
        const { text } = await sh("ls /proc | grep -c '^[0-9]'");
        assert.ok(Number(text) <= 6, text);
      });
    }
  });
}

/** A server for Python: answers every request with the port that it was given. */
export const portServer = `
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["PORT"].encode())
http.server.HTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
`;

/** The body of a page, asked for until somebody answers. */
async function untilAnswered(url: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      return await (await fetch(url)).text();
    } catch (error) {
      if (tries > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function linesOf(text: string): string[] {
  return text.split("\n").toSorted();
}

/** Fails when the file still changes. */
async function assertStill(path: string): Promise<void> {
  const read = async (): Promise<string> => await fs.readFile(path, "utf8");
  const first = await read();
  for (let i = 0; i < 20; i++) {
    await new Promise(setImmediate);
    assert.equal(await read(), first);
  }
}
