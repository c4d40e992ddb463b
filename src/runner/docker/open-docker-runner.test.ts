import * as fs from "node:fs/promises";
import { before, describe } from "node:test";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { systemRandom } from "../../base/random.ts";
import { portServer, testRunner } from "../testing/conformance.ts";
import { processesMaxInTests, testEscapes } from "../testing/escapes.ts";
import type { Runner } from "../runner.ts";
import { openDockerRunner } from "./open-docker-runner.ts";
import { images, makeImages, testDocker } from "./testing/test-docker.ts";

const { address, skip } = testDocker;

const open = async (scratch: string, warm: boolean): Promise<Runner> =>
  await openDockerRunner({
    address,
    fs,
    random: systemRandom,
    clock: systemClock(),
    log: silentLog,
    scratch,
    machine: "test",
    user: undefined,
    warm,
    processesMax: processesMaxInTests,
  });

describe("Docker", { skip }, () => {
  before(async () => {
    await makeImages("shell", "python");
  });
  const common = {
    isolated: true,
    tellsSignals: false,
    image: images.shell,
    server: { image: images.python, program: portServer },
  };
  testRunner({
    ...common,
    name: "docker (warm)",
    open: async (scratch) => await open(scratch, true),
    group: "conformance",
  });
  testEscapes({
    ...common,
    name: "docker (warm)",
    open: async (scratch) => await open(scratch, true),
    group: "escapes",
  });
  testRunner({
    ...common,
    name: "docker (a container for each run)",
    open: async (scratch) => await open(scratch, false),
    ordersOutput: false,
  });
});
