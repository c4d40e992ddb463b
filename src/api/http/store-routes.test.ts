import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { fastify } from "fastify";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { openTestMetadata } from "../../metadata/testing/open-test-metadata.ts";
import { never, TestPfs } from "../../pfs/testing/open-test-pfs.ts";
import { answerError } from "./error-answer.ts";
import { RestRoutes } from "./route.ts";
import { registerStoreRoutes } from "./store-routes.ts";

interface Daemon {
  readonly url: string;
  /** Held up where each of the requests comes by. */
  gate: PromiseWithResolvers<void>;
  /** Resolves when one has come there. */
  arrived: PromiseWithResolvers<void>;
}

async function openDaemon(t: TestContext): Promise<Daemon> {
  const daemon = { gate: Promise.withResolvers<void>(), arrived: Promise.withResolvers<void>() };
  const metadata = openTestMetadata(systemClock());
  let isOpen = false;
  const call = async (name: string, input: unknown): Promise<unknown> => {
    if (isOpen && name === "listPacks") {
      daemon.arrived.resolve();
      await daemon.gate.promise;
    }
    return await (metadata.call as (name: string, input: unknown) => Promise<unknown>).call(
      metadata,
      name,
      input,
    );
  };
  const pfs = new TestPfs(1, {
    metadata: { call: call as typeof metadata.call, close: () => metadata.close() },
  });
  await pfs.deps.storage.claimStore(never);
  isOpen = true;
  const server = fastify();
  server.setErrorHandler((error, request, reply) => answerError(error, request, reply, silentLog));
  registerStoreRoutes(new RestRoutes(server), {
    pfs: pfs.deps,
    session: "test",
    slots: 1,
    runner: "process",
  });
  const url = await server.listen({ host: "127.0.0.1", port: 0 });
  t.after(async () => {
    daemon.gate.resolve();
    await server.close();
    await pfs.close();
  });
  return Object.assign(daemon, { url });
}

for (const path of ["garbage-collect?dryRun=true", "fsck"]) {
  test(`${path} is refused while another goes on, and let in after it or when its caller left`, async (t) => {
    const timeout = AbortSignal.timeout(20_000);
    const daemon = await openDaemon(t);
    const ask = async (signal: AbortSignal = timeout): Promise<[number, string]> => {
      const answer = await fetch(`${daemon.url}/${path}`, { method: "POST", signal });
      return [answer.status, await answer.text()];
    };
    const isRefused = async (): Promise<boolean> => {
      const [status, text] = await ask();
      if (status === 409) assert.match(text, /failed_precondition.*Wait until it has ended/);
      return status === 409;
    };
    const first = ask();
    await daemon.arrived.promise;
    assert.ok(await isRefused());
    daemon.gate.resolve();
    assert.equal((await first)[0], 200);
    assert.ok(!(await isRefused()));

    daemon.gate = Promise.withResolvers();
    daemon.arrived = Promise.withResolvers();
    const caller = new AbortController();
    const left = ask(caller.signal);
    await daemon.arrived.promise;
    caller.abort();
    await assert.rejects(left);
    daemon.gate.resolve();
    while (await isRefused()) timeout.throwIfAborted();
  });
}
