import assert from "node:assert/strict";
import { it } from "node:test";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { MiB } from "../../base/size.ts";
import type { Call, Early } from "./engine.ts";
import { QueuedStore, type GroupEnd } from "./queued-store.ts";

/** A store whose runner holds every group until `go`, and counts the calls it was given. */
function openHeld(groupsMax = 1_000): { store: QueuedStore; go: () => void; taken: () => number } {
  const gate = Promise.withResolvers<undefined>();
  let taken = 0;
  const runner = {
    died: new Promise<never>(() => undefined),
    run: async (calls: readonly Call[], give: Early): Promise<GroupEnd> => {
      taken += calls.length;
      await gate.promise;
      give(calls.map((_, place) => [place, { output: [] }]));
      return { committed: false };
    },
    close: async () => undefined,
  };
  const store = new QueuedStore({
    runner,
    groupsMax,
    gathered: async () => undefined,
    clock: systemClock(),
    log: silentLog,
    shared: ["findCommit"],
  });
  return {
    store,
    go: () => {
      gate.resolve(undefined);
    },
    taken: () => taken,
  };
}

const bounds = [
  { what: "32 MiB of inputs", inputBytes: MiB, calls: 100, inside: 32 },
  { what: "1 024 small calls", inputBytes: 10, calls: 1_500, inside: 1_024 },
  { what: "one call that is larger than all", inputBytes: 33 * MiB, calls: 2, inside: 1 },
];
for (const { what, inputBytes, calls, inside } of bounds) {
  it(`call() lets in ${what}; others wait, and are answered`, async () => {
    const { store, go, taken } = openHeld();
    const keys = [Buffer.alloc(inputBytes)];
    const answers = Array.from(
      { length: calls },
      async () => await store.call("findBlockIds", { keys }),
    );
    await new Promise(setImmediate);
    assert.equal(taken(), inside);
    go();
    await Promise.all(answers);
    assert.equal(taken(), calls);
    await store.close();
  });
}

it("call() makes equal calls that wait together once, when they only read", async () => {
  const { store, go, taken } = openHeld(1);
  const find = (id: string): Promise<unknown> => store.call("findCommit", { repo: "data", id });
  const asked = [find("master")];
  await new Promise(setImmediate);
  // The one on its way has looked already: these wait for an answer of their own, and share it.
  asked.push(find("master"), find("master"), find("other"), find("master"));
  asked.push(store.call("findBlockIds", { keys: [] }), store.call("findBlockIds", { keys: [] }));
  go();
  await Promise.all(asked);
  assert.equal(taken(), 1 + 2 + 2);
  await store.close();
});
