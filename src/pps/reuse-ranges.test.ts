import { strict as assert } from "node:assert";
import { test } from "node:test";
import fc from "fast-check";
import { EntryList } from "./entry-list.ts";
import { goneTasks, reusedFrom, sameTasks, type MatchedInput } from "./reuse-ranges.ts";

/** An input some of whose shares are those of the earlier job, given one by one. */
const input = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }))
  .chain(([size, baseSize]) =>
    fc.tuple(
      fc.constant(size),
      fc.constant(baseSize),
      fc.uniqueArray(fc.nat({ max: baseSize - 1 }), { maxLength: size }),
      fc.uniqueArray(fc.nat({ max: size - 1 }), { maxLength: baseSize }),
    ),
  )
  .map(([size, baseSize, sources, starts]) => {
    const count = Math.min(sources.length, starts.length);
    const pairs = starts
      .slice(0, count)
      .toSorted((a, b) => a - b)
      .map((start, i) => [start, sources.slice(0, count).toSorted((a, b) => a - b)[i]!] as const);
    return { size, baseSize, pairs };
  });

test("sameTasks() pairs a task with the one all of whose shares are the same", () => {
  fc.assert(
    fc.property(fc.array(input, { minLength: 1, maxLength: 3 }), (inputs) => {
      const matched: MatchedInput[] = inputs.map(({ size, baseSize, pairs }) => ({
        size,
        baseSize,
        same: pairs.map(([start, source]) => ({ start, count: 1, source })),
      }));
      let expected: [number, number][] = [[0, 0]];
      for (const { size, baseSize, pairs } of inputs)
        expected = expected.flatMap(([task, base]) =>
          pairs.map(([start, source]): [number, number] => [
            task * size + start,
            base * baseSize + source,
          ]),
        );
      const found = sameTasks(matched).flatMap(({ start, count, source }) =>
        Array.from({ length: count }, (_, i) => [start + i, source + i]),
      );
      assert.deepEqual(found, expected);
    }),
  );
});

test("reusedFrom() names the job that ran each task, and leaves out what is lost", () => {
  const base = {
    id: "b",
    plan: { moduli: [10], fromUids: [null] },
    tasks: 10,
    inputUids: [],
    outputUid: null,
    run: "",
    reused: [
      { task: 0, span: 3, fromJob: "a", fromTask: 7 },
      { task: 3, span: 1, fromJob: "", fromTask: 1 },
    ],
    missing: [{ task: 9, span: 1 }],
  };
  const same = [
    { start: 0, count: 1, source: 1 },
    { start: 2, count: 8, source: 2 },
  ];
  assert.deepEqual(reusedFrom(same, base), [
    { task: 0, span: 1, fromJob: "a", fromTask: 8 },
    { task: 2, span: 1, fromJob: "a", fromTask: 9 },
    { task: 4, span: 5, fromJob: "b", fromTask: 4 },
  ]);
  assert.deepEqual(goneTasks(same, 10), [{ task: 0, span: 1 }]);
});

const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3, unit: "grapheme" }), {
  minLength: 1,
  maxLength: 60,
});

test("changed() of a list is the list of what is there then, and says what stayed", () => {
  const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  fc.assert(
    fc.property(names, names, fc.array(fc.nat()), (before, touched, picks) => {
      const list = before.toSorted(byBytes);
      const kept = {
        spans: [{ first: 0, span: list.length, owner: "a", ownerFirst: 0 }],
        pages: {
          a: [0, 1, 2, 3, 4, 5, 6, 7].map((i) => JSON.stringify(list.slice(i * 8, i * 8 + 8))),
        },
        pageSize: 8,
      };
      const some = [...touched, ...picks.map((pick) => list[pick % list.length]!)];
      const changes = [...new Set(some)]
        .toSorted(byBytes)
        .map((name, i) => ({ name, isThere: i % 3 !== 0 }));
      const { entries, count, same } = new EntryList(kept).changed(changes);
      const gone = new Set(changes.flatMap(({ name, isThere }) => (isThere ? [] : [name])));
      const added = changes.flatMap(({ name, isThere }) => (isThere ? [name] : []));
      const now = [...new Set([...list, ...added])]
        .filter((name) => !gone.has(name))
        .toSorted(byBytes);
      const written = entries.spans!.flatMap(({ span, owner, ownerFirst }) =>
        (owner === "" ? entries.names : list).slice(ownerFirst, ownerFirst + span),
      );
      assert.deepEqual(written, now);
      assert.equal(count, now.length);
      const pairs = same.flatMap(({ start, count: span, source }) =>
        Array.from({ length: span }, (_, i) => [now[start + i], list[source + i]]),
      );
      const untouched = list.filter((name) => !changes.some((change) => change.name === name));
      assert.deepEqual(
        pairs,
        untouched.map((name) => [name, name]),
      );
    }),
  );
});
