import assert from "node:assert/strict";
import { it } from "node:test";
import { systemClock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import { silentLog } from "../../base/log.ts";
import { WarmSandboxes } from "./warm-sandboxes.ts";

it("run() tries again after a minute to start a sandbox that could not be started", async () => {
  let nowMs = 0;
  let started = 0;
  const sandboxes = new WarmSandboxes({
    clock: { ...systemClock(), monotonicMs: () => nowMs },
    log: silentLog,
    start: async () => {
      started++;
      return await Promise.reject(new CodedError("internal", "no process can be made"));
    },
  });
  const spec = {
    id: "one",
    group: "one",
    image: "",
    cmd: ["true"],
    env: {},
    stdin: Buffer.alloc(0),
    mounts: [],
    hidden: [],
  };
  const runs = async (): Promise<number> => {
    const before = started;
    const { signal } = new AbortController();
    assert.equal(await sandboxes.run(spec, { signal, output: () => undefined }), undefined);
    return started - before;
  };
  assert.notEqual(await runs(), 0);
  assert.equal(await runs(), 0);
  nowMs = 59_999;
  assert.equal(await runs(), 0);
  nowMs = 60_000;
  assert.notEqual(await runs(), 0);
  await sandboxes.close();
});
