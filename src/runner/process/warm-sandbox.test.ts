import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { after, before, describe, it } from "node:test";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { systemRandom } from "../../base/random.ts";
import { MiB } from "../../base/size.ts";
import type { Runner, RunSpec } from "../runner.ts";
import { openProcessRunner } from "./open-process-runner.ts";
import { probeNamespaces } from "./probe.ts";

const clock = systemClock();
/** However slow the machine: what is idle is kept. */
const patient = {
  ...clock,
  sleep: async (_ms: number, signal?: AbortSignal) => await clock.sleep(1_000_000, signal),
};
const probe = await probeNamespaces();

describe("warm sandbox", { skip: probe.works ? false : probe.reason }, () => {
  let home: string;
  let runner: Runner;
  before(async () => {
    home = await fs.mkdtemp(`${tmpdir()}/mammoth-warm-`);
    runner = await openProcessRunner({
      fs,
      random: systemRandom,
      clock: patient,
      scratch: `${home}/scratch`,
      log: silentLog,
      mode: "namespaces",
    });
  });
  after(async () => {
    await runner.close();
    assert.deepEqual(await fs.readdir(`${home}/scratch/runs`), []);
    await fs.rm(home, { recursive: true, force: true });
  });
  const sh = async (
    script: string,
    more: Partial<RunSpec> = {},
    piped?: Uint8Array,
  ): Promise<string> => {
    let text = "";
    const spec = {
      id: "warm",
      group: "one",
      image: "",
      cmd: ["sh", "-c", script],
      env: {},
      stdin: Buffer.alloc(0),
      mounts: [],
      hidden: [],
      ...more,
    };
    const take = (piece: Uint8Array): void => void (text += Buffer.from(piece).toString());
    await runner.run(spec, {
      signal: new AbortController().signal,
      output: take,
      ...(piped === undefined ? {} : { piped: { stdin: () => once(piped), stdout: take } }),
    });
    return text.trim();
  };
  // The number of a namespace may be that of one before.
  const namespace = "readlink /proc/self/ns/pid; cut -d' ' -f22 /proc/1/stat";

  it("serves the next run of its group, and no other", async () => {
    const first = await sh(namespace);
    assert.equal(await sh(`echo x >/tmp/x; false; ${namespace}`), first);
    assert.equal(await sh(`ls -A /tmp; ${namespace}`), first);
    const others: Partial<RunSpec>[] = [
      { group: "two" },
      { network: "none" },
      { hidden: ["/usr/share"] },
    ];
    for (const other of others) assert.notEqual(await sh(namespace, other), first);
    assert.equal(await sh(namespace), first);
  });
  const traces = {
    "a file in shared memory": "echo x >/dev/shm/x",
    "another mode of /tmp": "chmod 700 /tmp",
    "another mode of shared memory": "chmod 700 /dev/shm",
    "shared memory of System V": "exec ipcmk -M 10 >/dev/null",
  };
  for (const [what, script] of Object.entries(traces)) {
    it(`is not used again after ${what}`, async () => {
      const first = await sh(namespace);
      await sh(script);
      assert.notEqual(await sh(namespace), first);
    });
  }
  it("is not used again after something was killed for lack of memory", async (t) => {
    const limits = { memoryBytes: 32 * MiB };
    const first = await sh(namespace, { limits });
    const greedy = "head -c 100000000 /dev/zero | tail -n 1 >/tmp/x; echo $?";
    if (!/^(137|Killed)/m.test(await sh(greedy, { limits })))
      return t.skip("memory is not bounded");
    assert.notEqual(await sh(namespace, { limits }), first);
  });

  it("gives each run its standard input, whatever the last did to its own", async () => {
    const stdin = Buffer.from("given");
    const first = await sh(namespace, { stdin });
    await sh("echo evil >/dev/stdin", { stdin });
    assert.equal(await sh(`cat; echo; ${namespace}`, { stdin }), `given\n${first}`);
  });

  it("serves commands between two streams, and gives each only its own input", async () => {
    const first = await sh(namespace);
    const large = Buffer.alloc(50_000, "left\n");
    assert.equal(await sh("read -r line; echo $line >/dev/stdin", {}, large), "");
    assert.equal(await sh(`cat; ${namespace}`, {}, Buffer.from("own\n")), `own\n${first}`);
    assert.equal(await sh(`cat; ${namespace}`), first);
    assert.equal(await sh("ls /proc/self/fd | grep -c '^[4-9]$'", {}, Buffer.alloc(1)), "0");
  });

  it("shows each run its own inputs, under a name that is the same", async () => {
    for (const fruit of ["apple", "pear"]) {
      await fs.mkdir(`${home}/${fruit}`);
      await fs.writeFile(`${home}/${fruit}/file`, fruit);
      const mount = { name: "in", hostPath: `${home}/${fruit}`, writable: false };
      assert.equal(await sh("cat /pfs/in/file", { mounts: [mount] }), fruit);
    }
    assert.equal(await sh("ls -A /pfs"), "");
  });
  it("shows an output that was removed and made again as it is now", async () => {
    const mounts = [{ name: "out", hostPath: `${home}/out`, writable: true }];
    for (const name of ["first", "second"]) {
      await fs.mkdir(`${home}/out`);
      await sh(`ls -A /pfs/out >/pfs/out/${name}`, { mounts });
      assert.equal(await fs.readFile(`${home}/out/${name}`, "utf8"), `${name}\n`);
      await fs.rm(`${home}/out`, { recursive: true });
    }
  });
});

async function* once(piece: Uint8Array): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  yield piece;
}
