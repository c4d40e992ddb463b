import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { systemRandom } from "../../base/random.ts";
import type { Dispatcher } from "../dispatcher.ts";
import { dispatcherConformance } from "../testing/conformance.ts";
import { GearmanServer, skipWithoutGearman } from "../testing/gearman-server.ts";
import { openGearmanDispatcher } from "./open-gearman.ts";

function open(port: number, functionName = "test"): Dispatcher {
  const parts = { clock: systemClock(), random: systemRandom, log: silentLog };
  return openGearmanDispatcher({ host: "127.0.0.1", port, functionName, ...parts });
}

describe("gearmand", { skip: skipWithoutGearman }, () => {
  dispatcherConformance("gearman", async (t) => {
    const server = await GearmanServer.open();
    t.after(async () => await server.kill());
    return () => open(server.port);
  });
});

describe("openGearmanDispatcher()", { skip: skipWithoutGearman }, () => {
  it("goes on when the job server was killed and started again, whoever waits and hints meanwhile", async (t) => {
    const server = await GearmanServer.open();
    const [daemon, worker] = [open(server.port), open(server.port)];
    t.after(async () => {
      daemon.close();
      worker.close();
      await server.kill();
    });
    for (let round = 0; round < 4; round++) {
      const woken = worker.wait(AbortSignal.timeout(20_000));
      if (round % 2 === 0) await sleep(50);
      await server.kill();
      daemon.hint();
      await sleep(round * 50);
      await server.start();
      daemon.hint();
      await woken;
    }
  });
  it("keeps the hints of different functions apart", async (t) => {
    const server = await GearmanServer.open();
    const all = ["a", "a", "b"].map((functionName) => open(server.port, functionName));
    t.after(async () => {
      all.forEach((dispatcher) => dispatcher.close());
      await server.kill();
    });
    const [daemon, own, stranger] = all as [Dispatcher, Dispatcher, Dispatcher];
    const hinted = stranger.wait(AbortSignal.timeout(300));
    daemon.hint();
    await own.wait(AbortSignal.timeout(20_000));
    await assert.rejects(hinted);
  });
});

describe("openGearmanDispatcher() without a job server", () => {
  it("fails nobody where something else answers", async (t) => {
    let asked = 0;
    const server = createServer((socket) => {
      asked++;
      socket.on("error", () => undefined).end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const dispatcher = open((server.address() as AddressInfo).port);
    t.after(() => {
      dispatcher.close();
      server.close();
    });
    dispatcher.hint();
    await assert.rejects(dispatcher.wait(AbortSignal.timeout(1_000)), { name: "TimeoutError" });
    // With growing pauses.
    assert.ok(asked > 1 && asked < 12, `${asked}`);
  });
  it("lets a process end that only hints", async () => {
    const dispatcher = open(1);
    dispatcher.hint();
    dispatcher.close();
    await assert.rejects(dispatcher.wait(AbortSignal.timeout(50)));
  });
});
