import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { it } from "node:test";
import type { PipedRun, Runner, RunOutcome, RunSpec } from "../runner.ts";

/** What every runner must do for a command between two streams. */
export function testPipedRuns(under: {
  runner: () => Runner;
  specOf: (cmd: readonly string[]) => RunSpec;
}): void {
  const run = async (
    script: string,
    piped: Partial<PipedRun>,
    signal = new AbortController().signal,
  ): Promise<{ outcome: RunOutcome; out: string; err: string }> => {
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    const outcome = await under.runner().run(under.specOf(["sh", "-c", script]), {
      signal,
      output: (piece) => void err.push(Buffer.from(piece)),
      piped: {
        stdin: () => pieces([]),
        stdout: (piece) => void out.push(Buffer.from(piece)),
        ...piped,
      },
    });
    return { outcome, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() };
  };
  const success: RunOutcome = { kind: "exited", exitCode: 0 };

  it("run() streams stdin in and stdout out, apart from stderr, when piped", async () => {
    const stdin = (): AsyncIterable<Uint8Array> => pieces(["one\n", "", "two"]);
    assert.deepEqual(await run("cat; echo three >&2", { stdin }), {
      outcome: success,
      out: "one\ntwo",
      err: "three\n",
    });
  });
  it("run() gives a piped command without input its end, many times", async () => {
    for (let i = 0; i < 5; i++)
      assert.deepEqual(await run("wc -c", {}), { outcome: success, out: "0\n", err: "" });
  });
  it("run() gives a piped command nothing of what the one before left unread", async () => {
    const left = (): AsyncIterable<Uint8Array> => pieces(["left\n".repeat(10_000)]);
    const own = (): AsyncIterable<Uint8Array> => pieces(["own\n"]);
    for (let i = 0; i < 3; i++) {
      assert.deepEqual((await run("read -r line", { stdin: left })).outcome, success);
      assert.equal((await run("cat", { stdin: own })).out, "own\n");
    }
  });
  it("run() hands megabytes through when both sides are slow", async () => {
    let bytes = 0;
    const stdin = async function* (): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 30; i++) {
        await new Promise(setImmediate);
        yield Buffer.alloc(100_000, "x");
      }
    };
    const stdout = async (piece: Uint8Array): Promise<void> => {
      bytes += piece.length;
      await new Promise(setImmediate);
    };
    assert.deepEqual((await run("cat", { stdin, stdout })).outcome, success);
    assert.equal(bytes, 3_000_000);
  });
  for (const [how, script] of Object.entries({
    "ends early": "head -n 1",
    "closes its stdin": "head -n 1; exec <&-; sleep 0.2",
  }))
    it(`run() stops asking when a piped command ${how}`, async () => {
      let isEnded = false;
      const stdin = async function* (): AsyncGenerator<Uint8Array> {
        try {
          for (;;) {
            yield Buffer.from("line\n".repeat(10_000));
            await new Promise(setImmediate);
          }
        } finally {
          isEnded = true;
        }
      };
      const { outcome, out } = await run(script, { stdin });
      assert.deepEqual([outcome, out, isEnded], [success, "line\n", true]);
    });
  it("run() does not wait for a source that waits when the command has ended", async () => {
    const stdin = async function* (signal: AbortSignal): AsyncGenerator<Uint8Array> {
      yield Buffer.from("line\n");
      await sleep(60_000, undefined, { signal });
    };
    const { outcome, out } = await run("head -n 1; exit 7", { stdin });
    assert.deepEqual([outcome, out], [{ kind: "exited", exitCode: 7 }, "line\n"]);
  });
  it("run() kills the command and rejects with the error of its source", async () => {
    const stdin = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from("line\n");
      await new Promise(setImmediate);
      throw new Error("input is gone");
    };
    await assert.rejects(run("cat; sleep 60", { stdin }), /input is gone/);
  });
  it("run() kills the command and rejects with the error of its stdout", async () => {
    const stdout = (): Promise<void> => Promise.reject(new Error("disk is full"));
    await assert.rejects(run("echo x; sleep 60", { stdout }), /disk is full/);
  });
  it("run() ends source and command when a piped run is aborted", async () => {
    const stop = new AbortController();
    const stdin = async function* (signal: AbortSignal): AsyncGenerator<Uint8Array> {
      yield Buffer.from("line\n");
      await sleep(60_000, undefined, { signal });
    };
    const running = run("cat; sleep 60", { stdin, stdout: () => stop.abort() }, stop.signal);
    await assert.rejects(running, { name: "AbortError" });
  });
}

async function* pieces(texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    await new Promise(setImmediate);
    yield Buffer.from(text);
  }
}
