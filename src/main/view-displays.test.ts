// Goal: what a command finds in a lazy input is what it would find in any other, and it costs what is read.
// Method: real mounts and sandboxes over a host in memory; and pipelines that differ in nothing else, over random commits.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import fc from "fast-check";
import { CodedError } from "../base/errors.ts";
import { systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";
import { removeTree } from "../base/remove-tree.ts";
import { openFileCache } from "../filecache/index.ts";
import type { ClaimedTask, ViewRef } from "../model/claimed-task.ts";
import { never } from "../pfs/testing/open-test-pfs.ts";
import { TaskHost } from "../pps/index.ts";
import { openTestPps } from "../pps/testing/open-test-pps.ts";
import { images, makeImages, testDocker } from "../runner/docker/testing/test-docker.ts";
import { openDockerRunner, openProcessRunner } from "../runner/index.ts";
import { openInlineShuffleCompute } from "../shuffle/index.ts";
import { openWorker, type Worker } from "../worker/index.ts";
import { openWorkerBench } from "../worker/testing/worker-bench.ts";
import { displays, openBench, options, skip } from "./testing/display-bench.ts";

const clock = systemClock();

function lazily(name: string, view: ViewRef): Pick<ClaimedTask, "inputs"> {
  return { inputs: [{ name, view, lazy: true }] };
}

/** Programs that read all they see, as directories, names, sizes and content. */
const readAll =
  "cd /pfs/a && find . | LC_ALL=C sort && find . -type f -printf '%p %s %m\\n' | LC_ALL=C sort && " +
  "find . -type f -not -path './many/*' -print0 | LC_ALL=C sort -z | xargs -0 cat | sha256sum";

describe("lazy inputs", { skip }, () => {
  it("show what staged ones show, whoever reads them", options, async (t) => {
    const bench = await openBench(t);
    const many = Object.fromEntries(Array.from({ length: 700 }, (_, i) => [`many/${i}`, `${i}\n`]));
    const large = Buffer.from(Array.from({ length: 700_001 }, (_, i) => (i * i) >> 5));
    const view = bench.host.addView({
      ...many,
      large,
      empty: "",
      dir: null,
      "a name/größe\n.txt": "x",
    });
    const script = `${readAll}; cmp /pfs/a/large /pfs/a/./large; tail -c 5 /pfs/a/large | od; ls /pfs/a/nothing`;
    const eager = await bench.sh(script, { inputs: [{ name: "a", view }] });
    const modes = new RegExp(" 644$", "gm");
    for (const user of [undefined, "65534"]) {
      const demands = user === undefined ? {} : { demands: { user } };
      const lazy = await bench.sh(script, { ...lazily("a", view), ...demands });
      const [said, fetched] = lazy.log.split(/^Fetched /m);
      assert.equal(said!.replaceAll(modes, " 444"), eager.log.replaceAll(modes, " 444"));
      assert.equal(lazy.outcome?.kind, eager.outcome?.kind);
      // The next one finds it in the kernel.
      assert.equal(Number.parseInt(fetched!, 10) > 0, user === undefined);
    }
  });

  it("bring about as much as is read", options, async (t) => {
    const bench = await openBench(t);
    const files = Array.from({ length: 30 }, (_, i) => [`d/${i}`, Buffer.alloc(50_000, i)]);
    const view = bench.host.addView({
      ...Object.fromEntries(files),
      large: Buffer.alloc(20_000_000, 7),
    });
    const table: [string, number][] = [
      ["cat /pfs/a/d/7", 50_000],
      ["ls -lR /pfs/a; stat /pfs/a/d/8; test -s /pfs/a/large", 0],
      ["head -c 200000 /pfs/a/large", 800_000],
      ["tail -c 1000 /pfs/a/large", 200_000],
    ];
    for (const [script, bytesMax] of table) {
      const { log, outcome } = await bench.sh(`${script} >/dev/null`, lazily("a", view));
      assert.equal(outcome?.kind, "success");
      const fetched = Number(/^Fetched (\d+) bytes of the files of input a$/m.exec(log)?.[1]);
      assert.ok(fetched <= bytesMax, `${script}: ${fetched}`);
      assert.equal(fetched > 0, bytesMax > 0, script);
    }
    assert.equal(bench.host.reads.get("d/8"), undefined);
  });

  it("cannot be changed, and are another's in other tasks", options, async (t) => {
    const bench = await openBench(t);
    for (const text of ["one", "two", "three"]) {
      const view = bench.host.addView({ f: text });
      const attempt = await bench.sh(
        "cat /pfs/a/f; for c in 'rm -f /pfs/a/f' 'chmod 777 /pfs/a/f' 'touch /pfs/a/g' 'mv /pfs/a/f /pfs/a/h'; do $c && echo done; done; ls /pfs/a; true",
        lazily("a", view),
      );
      assert.equal(attempt.log.match(/Read-only file system/g)?.length, 4);
      assert.match(attempt.log, new RegExp(`^${text}[^]*\nf\nFetched ${text.length} bytes`));
    }
  });

  it("fail the attempt when they cannot be read, however the command ends", options, async (t) => {
    const bench = await openBench(t);
    const view = bench.host.addView({ f: "x".repeat(1_000) });
    bench.host.readFile = () => {
      throw new CodedError("data_loss", "the pack is gone");
    };
    const { outcome } = await bench.sh("cat /pfs/a/f || true", lazily("a", view));
    assert.ok(outcome?.kind === "failure");
    assert.equal(outcome.error, "/pfs/a: Cannot read f: the pack is gone");
  });

  it("fail the attempt however often that has happened before", options, async (t) => {
    const bench = await openBench(t);
    const view = bench.host.addView({ f: "x".repeat(1_000) });
    bench.host.readFile = () => {
      throw new CodedError("data_loss", "the pack is gone");
    };
    const often = "i=0; while [ $i -lt 1100 ]; do read -r x </pfs/a/f; i=$((i+1)); done; true";
    for (const script of [often, "cat /pfs/a/f || true"]) {
      const { outcome } = await bench.sh(script, lazily("a", view));
      assert.ok(outcome?.kind === "failure");
      assert.equal(outcome.error, "/pfs/a: Cannot read f: the pack is gone");
    }
  });

  it("fail the attempt when a name in them cannot be shown", options, async (t) => {
    const bench = await openBench(t);
    const name = "n".repeat(1_025);
    const view = bench.host.addView({ f: "x", [`d/${name}`]: "y" });
    const { outcome } = await bench.sh("ls /pfs/a/d; true", lazily("a", view));
    assert.ok(outcome?.kind === "failure");
    assert.match(
      outcome.error,
      /^\/pfs\/a: Cannot list d: the name n+\.\.\. has more than 1024 bytes/,
    );
  });

  it("wait for a host that is away", options, async (t) => {
    const bench = await openBench(t);
    const view = bench.host.addView({ f: "back\n" });
    const read = bench.host.readFile.bind(bench.host);
    let tries = 0;
    bench.host.readFile = (...wanted) => {
      if (++tries < 3) throw new CodedError("unavailable", "away");
      return read(...wanted);
    };
    const { outcome, log } = await bench.sh("cat /pfs/a/f", lazily("a", view));
    assert.equal(outcome?.kind, "success");
    assert.match(log, /^back\n/);
  });

  it("end with the task that is killed while it reads", options, async (t) => {
    const bench = await openBench(t);
    const view = bench.host.addView({ f: "never" });
    bench.host.readFile = () => {
      throw new CodedError("unavailable", "away");
    };
    const { outcome } = await bench.sh("cat /pfs/a/f", { ...lazily("a", view), timeoutMs: 500 });
    assert.ok(outcome?.kind === "failure");
    assert.match(outcome.error, /^timed out/);
  });

  it("come back after somebody unmounted them", options, async (t) => {
    const bench = await openBench(t);
    const view = bench.host.addView({ f: "x" });
    const unmount = async (): Promise<void> => {
      const [name] = await fs.readdir(`${bench.home}/scratch/lazy`);
      await promisify(execFile)("umount", ["-f", "-l", `${bench.home}/scratch/lazy/${name}`]);
    };
    const script = "echo begun; while cat /pfs/a/f >/dev/null; do sleep 0.05; done; true";
    const running = bench.sh(script, lazily("a", view));
    while (!bench.host.attempts.some(({ log }) => log !== "")) await clock.sleep(50);
    await unmount();
    const { outcome } = await running;
    assert.ok(outcome?.kind === "failure");
    assert.match(outcome.error, /^\/pfs\/a: Cannot read the inputs any more: \S+ was unmounted$/);
    const again = await bench.sh("cat /pfs/a/f", lazily("a", view));
    assert.equal(again.outcome?.kind, "success");
  });

  it("are staged where there are no mounts, and the log says so", options, async (t) => {
    const reason = "Cannot open /dev/fuse (ENOENT): this machine has none";
    const open = async (): Promise<never> =>
      await Promise.reject(new CodedError("failed_precondition", reason));
    const bench = await openWorkerBench({ displays: { ...displays, open } });
    t.after(async () => await bench.close());
    const view = bench.host.addView({ f: "x\n" });
    const { outcome, log } = await bench.sh("cat /pfs/a/f", lazily("a", view));
    assert.equal(outcome?.kind, "success");
    assert.equal(log, `Input a is brought whole, and not as it is read: ${reason}\nx\n`);
  });
});

/** What commits write, day by day, below one of several top-level directories. */
const days = fc.array(
  fc.dictionary(
    fc.constantFrom("f", "g.bin", "d/h", "d/e/i", "d2/j"),
    fc.constantFrom("x\n", "yy\nz\n", ""),
    { minKeys: 1, maxKeys: 4, noNullPrototype: true },
  ),
  { minLength: 1, maxLength: 3 },
);
const inputs = fc.constantFrom(
  { method: { partition: "BLOCK", incremental: "DIFF" } },
  { method: { partition: "FILE", incremental: "DIFF" } },
  { method: { partition: "FILE", incremental: "FULL" }, each: true },
  { method: { partition: "REPO", incremental: "NONE" } },
  { method: { partition: "FILE", incremental: "NONE" }, each: true },
);

it("a pipeline with a lazy input writes what one without writes", options, async (t) => {
  const pps = openTestPps(t, { slots: 2 });
  const home = await fs.mkdtemp(`${tmpdir()}/mammoth-lazy-`);
  const parts = { fs, clock, random: systemRandom, log: silentLog };
  const runner = await openProcessRunner({ ...parts, scratch: `${home}/run`, mode: "namespaces" });
  const dir = `${home}/cache`;
  const worker = await openWorker({
    ...parts,
    name: "lazy",
    host: new TaskHost(pps.deps),
    runner,
    filecache: await openFileCache({ fs, dir, bytesMax: 10_000_000, bootId: undefined }),
    scratch: `${home}/work`,
    hidden: [home],
    shuffle: openInlineShuffleCompute(),
    displays,
    readOnlyInputs: true,
  });
  t.after(async () => {
    await runner.close();
    await worker.close();
    await removeTree(fs, home);
  });
  let round = 0;
  await fc.assert(
    fc.asyncProperty(days, inputs, fc.constantFrom(1, 2), async (commits, input, constant) => {
      const [a, names] = [`a${++round}`, [`eager${round}`, `lazy${round}`] as const];
      await pps.pfs.repo(a);
      for (const name of names) {
        const fields = {
          transform: {
            cmd: ["sh", "-c", `${readAll.replace("/pfs/a", `/pfs/${a}`)} >>/pfs/out/all`],
          },
          parallelism_spec: { constant },
          reuse: false,
        };
        await pps.pipeline(name, { [a]: { ...input, lazy: name === names[1] } }, fields);
      }
      for (const files of commits) await pps.pfs.commit(a, files);
      await settle(pps, worker);
      const [eager, lazy] = await Promise.all(names.map(async (name) => await pps.jobs(name)));
      assert.deepEqual(
        lazy!.map(({ state }) => state),
        eager!.map(({ state }) => state),
      );
      for (const [i, { state, outputCommit }] of eager!.entries()) {
        assert.notEqual(state, "failure");
        assert.deepEqual(
          sameModes(await pps.pfs.files(lazy![i]!.outputCommit!)),
          sameModes(await pps.pfs.files(outputCommit!)),
        );
      }
    }),
    { numRuns: Number(process.env["MAMMOTH_LAZY_RUNS"] ?? 4) },
  );
});

function sameModes(files: Record<string, string | null>): string {
  return JSON.stringify(files).replaceAll(" 644\\n", " 444\\n");
}

async function settle(pps: ReturnType<typeof openTestPps>, worker: Worker): Promise<void> {
  for (;;) {
    await pps.events();
    if (await worker.work(never)) continue;
    const jobs = await pps.jobs();
    if (jobs.every(({ state }) => state !== "creating" && state !== "running")) return;
  }
}

describe("lazy inputs in containers", { skip: skip || testDocker.skip }, () => {
  // One keeps its container for the next task, the other has no shell for that.
  for (const [image, cat] of [
    ["shell", "cat"],
    ["single", "/cat"],
  ] as const) {
    it(`are shown in containers of the image ${image}`, async (t) => {
      await makeImages(image);
      const home = await fs.mkdtemp(`${tmpdir()}/mammoth-lazy-`);
      const runner = await openDockerRunner({
        fs,
        clock,
        random: systemRandom,
        log: silentLog,
        address: testDocker.address,
        scratch: `${home}/containers`,
        machine: "test",
        user: undefined,
      });
      const bench = await openWorkerBench({ displays, runner });
      t.after(async () => {
        await runner.close();
        await bench.worker.close();
        await bench.close();
        await removeTree(fs, home);
      });
      for (const text of ["one\n", "two\n"]) {
        const view = bench.host.addView({ "d/f": text, g: "g" });
        const task = { image: images[image], cmd: [cat, "/pfs/a/d/f"], ...lazily("a", view) };
        const { log, outcome } = await bench.run(task);
        assert.equal(log, `${text}Fetched ${text.length} bytes of the files of input a\n`);
        assert.equal(outcome?.kind, "success");
      }
      const before = bench.host.addView({ "d/f": "before\n" });
      const inherited = {
        image: images[image],
        parentOutput: before,
        ...lazily("a", bench.host.addView({ g: "g" })),
      };
      const seen = await bench.run({ ...inherited, cmd: [cat, "/pfs/out/d/f", "/pfs/prev/d/f"] });
      assert.match(seen.log, /^before\nbefore\nFetched 0 bytes/);
      assert.deepEqual([seen.outcome?.kind, seen.changes], ["success", []]);
      if (image !== "shell") return;
      for (const _ of [1, 2]) {
        const cmd = [
          "sh",
          "-c",
          "cat /pfs/out/d/f; echo x >>/pfs/out/d/f; ls /pfs/out/n; echo y >/pfs/out/n",
        ];
        const { log, changes } = await bench.run({ ...inherited, cmd });
        assert.match(log, /^before\nls: /);
        assert.deepEqual(changes, [
          { kind: "append", path: "d/f", content: "x\n" },
          { kind: "append", path: "n", content: "y\n" },
        ]);
      }
    });
  }
});
