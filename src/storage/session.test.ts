import assert from "node:assert/strict";
import { test } from "node:test";
import { openInlineSqliteMetadata } from "../metadata/index.ts";
import { InstantClock } from "./testing/garbage-bed.ts";
import { Session } from "./session.ts";

const facts = { address: "here", release: "test" };

function openSessions(): {
  clock: InstantClock;
  open: (id: string) => Session;
  oldest: () => Promise<number>;
  raise: () => Promise<void>;
} {
  const clock = new InstantClock();
  const metadata = openInlineSqliteMetadata({ clock });
  return {
    clock,
    open: (id) => new Session(id, { metadata }),
    oldest: () => metadata.call("oldestEpoch", {}),
    raise: async () => {
      const token = "run";
      await metadata.call("beginGarbageRun", { token });
      await metadata.call("raiseEpoch", { token });
    },
  };
}

test("Session tells the epoch of its oldest writer, which begins in the epoch it has heard of", async () => {
  const { open, oldest, raise } = openSessions();
  const session = open("a");
  await session.renew(facts);
  const leaveFirst = session.enter();
  await raise();
  const leaveSecond = session.enter();
  assert.equal(session.epoch, 0, "not heard of yet");
  await session.renew(facts);
  assert.equal(session.epoch, 1);
  assert.equal(await oldest(), 0);
  const leaveThird = session.enter();
  leaveFirst();
  leaveFirst();
  await session.renew(facts);
  assert.equal(await oldest(), 0, "the second began in the old epoch too");
  leaveSecond();
  await session.renew(facts);
  assert.equal(await oldest(), 1);
  leaveThird();
});

test("Session is not waited for when it has ended, was not heard of, or has no writers", async () => {
  const { clock, open, oldest, raise } = openSessions();
  const [idle, ended, silent] = [open("idle"), open("ended"), open("silent")];
  for (const session of [idle, ended, silent]) await session.renew(facts);
  ended.enter();
  silent.enter();
  await raise();
  await idle.renew(facts);
  assert.equal(await oldest(), 0);
  await ended.end();
  assert.equal(await oldest(), 0);
  clock.pass(29_000);
  assert.equal(await oldest(), 0, "its lease is 30 s");
  await idle.renew(facts);
  clock.pass(2_000);
  assert.equal(await oldest(), 1);
  await silent.renew(facts);
  assert.equal(await oldest(), 0, "it comes back with its writers");
});
