import assert from "node:assert/strict";
import { it } from "node:test";
import type { ClaimedTask } from "./worker-host.ts";
import { TaskFeed } from "./task-feed.ts";

const never = new AbortController().signal;

it("TaskFeed asks once for all who ask at the same moment, and gives each one task at most", async () => {
  const counts: number[] = [];
  let left = 4;
  const feed = new TaskFeed({
    worker: "w",
    monotonicMs: () => 7,
    host: {
      async claim({ count }) {
        counts.push(count);
        await new Promise(setImmediate);
        const given = Math.min(left, count);
        left -= given;
        return Array.from(
          { length: given },
          (_, i) => ({ task: counts.length * 10 + i }) as ClaimedTask,
        );
      },
    },
  });
  const first = [feed.next(never), feed.next(never), feed.next(never)];
  // While the first are asked for: the next ask together.
  await Promise.resolve();
  await Promise.resolve();
  const more = [feed.next(never), feed.next(never)];
  const numbers = (await Promise.all([...first, ...more])).map((fed) => fed?.task.task);
  assert.deepEqual(numbers, [10, 11, 12, 20, undefined]);
  assert.deepEqual(counts, [3, 2]);
});

it("TaskFeed tells all who asked when it cannot ask, and asks again", async () => {
  let fails = true;
  const feed = new TaskFeed({
    worker: "w",
    monotonicMs: () => 0,
    host: {
      claim: async () => await (fails ? Promise.reject(new Error("away")) : Promise.resolve([])),
    },
  });
  const asked = await Promise.allSettled([feed.next(never), feed.next(never)]);
  assert.deepEqual(
    asked.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  fails = false;
  assert.equal(await feed.next(never), undefined);
});
