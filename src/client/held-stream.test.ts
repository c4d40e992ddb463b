// Goal: whoever reads a held stream from where it is durable gets its bytes, however often and from where others broke
// off, and no more is held than allowed. Method: random readers that break off, with what is durable following at random.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { systemClock } from "../base/clock.ts";
import { HeldStream } from "./held-stream.ts";

const clock = {
  ...systemClock(),
  sleep: () => new Promise<void>((resolve) => setImmediate(resolve)),
};

async function* slicesOf(bytes: Buffer, sliceBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += sliceBytes) {
    if (at % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    yield bytes.subarray(at, at + sliceBytes);
  }
}

test("from() gives the same bytes again from where they are durable", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.record({ reads: fc.nat(80), durable: fc.nat(80) }), { maxLength: 8 }),
      async (given, sliceBytes, attempts) => {
        const bytes = Buffer.from(given);
        const far = { received: 0, durable: 0 };
        const reached = (): Promise<number> => Promise.resolve((far.durable = far.received));
        const stream = new HeldStream(slicesOf(bytes, sliceBytes), {
          reached,
          clock,
          bytesMax: 60,
        });
        const open: AsyncGenerator<Uint8Array>[] = [];
        for (const { reads, durable } of attempts) {
          far.durable = Math.max(far.durable, Math.min(far.received, durable));
          far.received = far.durable;
          stream.reach(far.durable);
          const reader = stream.from(far.durable);
          open.push(reader);
          for (let left = reads; left > 0; left--) {
            const next = await reader.next();
            if (next.done === true) break;
            const found = Buffer.from(next.value);
            assert.deepEqual(found, bytes.subarray(far.received, far.received + found.length));
            far.received += found.length;
          }
          // Left without a word, or while it waits for more.
          if (reads % 2 === 0) void reader.next().catch(() => undefined);
        }
        const rest: Uint8Array[] = [];
        const start = far.durable;
        for await (const slice of stream.from(start)) {
          rest.push(slice);
          far.received = start + Buffer.concat(rest).length;
        }
        assert.deepEqual(Buffer.concat(rest), bytes.subarray(start));
      },
    ),
    { numRuns: 100 },
  );
});

test("allWithin() gives a short stream whole, and a long one to be read from its beginning", async () => {
  const options = { reached: () => Promise.resolve(0), clock: systemClock(), bytesMax: 1_000 };
  const bytes = Buffer.from("0123456789");
  const short = new HeldStream(slicesOf(bytes, 3), options);
  assert.deepEqual(await short.allWithin(10, 60_000), bytes);
  const long = new HeldStream(slicesOf(bytes, 3), options);
  assert.equal(await long.allWithin(9, 60_000), undefined);
  const slow = new HeldStream(
    (async function* () {
      yield bytes;
      await new Promise((resolve) => setTimeout(resolve, 50));
      yield bytes;
    })(),
    options,
  );
  assert.equal(await slow.allWithin(100, 10), undefined);
  const found: Uint8Array[] = [];
  for await (const slice of slow.from(0)) found.push(slice);
  assert.deepEqual(Buffer.concat(found), Buffer.concat([bytes, bytes]));
});

test("a source that fails says so to every reader, and a store that forgets is not believed", async () => {
  const options = { reached: () => Promise.resolve(0), clock, bytesMax: 1_000 };
  const stream = new HeldStream(
    (async function* () {
      yield Buffer.from("one");
      throw new Error("the pipe is broken");
    })(),
    options,
  );
  const all = async (): Promise<void> => {
    for await (const slice of stream.from(0)) assert.equal(Buffer.from(slice).toString(), "one");
  };
  await assert.rejects(all, /the pipe is broken/);
  await assert.rejects(all, /the pipe is broken/);
  assert.throws(() => stream.throwIfFailed(), /the pipe is broken/);
  const gone = new HeldStream(slicesOf(Buffer.from("0123456789"), 5), {
    ...options,
    clock: systemClock(),
  });
  await gone.allWithin(100, 60_000);
  gone.reach(5);
  await assert.rejects(gone.from(0).next(), { code: "aborted", message: /has lost/ });
});
