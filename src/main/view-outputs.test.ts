// Goal: what a command leaves in an output that it inherited through a mount is what it would leave in one that was laid
// out, and it costs what is read.
// Method: real mounts and sandboxes over a host in memory; the same script with and without.
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CodedError } from "../base/errors.ts";
import type { ClaimedTask, ViewRef } from "../model/claimed-task.ts";
import type { WorkerBench } from "../worker/testing/worker-bench.ts";
import type { MemAttempt } from "../worker/testing/mem-worker-host.ts";
import { openBench, options, skip } from "./testing/display-bench.ts";

/** A script on an output that begins with these files; in a task that has a lazy input, or none that is. */
async function change(
  bench: WorkerBench,
  before: ViewRef,
  script: string,
  more: { readonly isLazy: boolean; readonly task?: Partial<ClaimedTask> },
): Promise<MemAttempt> {
  const view = bench.host.addView({ f: "an input\n" });
  const task = {
    ...more.task,
    parentOutput: before,
    inputs: [{ name: "a", view, lazy: more.isLazy }],
  };
  return await bench.sh(script, task);
}

function logOf({ log }: MemAttempt): string {
  return log.replaceAll(/^Fetched .*\n/gm, "");
}

function fetchedOf({ log }: MemAttempt): number {
  return Number(/^Fetched (\d+) bytes of the files of the output before$/m.exec(log)?.[1]);
}

/** Both ways, which end alike; gives the changes of the lazy one. */
async function sameBothWays(
  bench: WorkerBench,
  before: ViewRef,
  script: string,
  task: Partial<ClaimedTask> = {},
): Promise<readonly string[]> {
  const eager = await change(bench, before, script, { isLazy: false, task });
  const lazy = await change(bench, before, script, { isLazy: true, task });
  assert.equal(logOf(lazy), logOf(eager));
  // What was written anew as it was is output only where contents are compared.
  const { hasOutput: _, ...ended } = { hasOutput: false, ...eager.outcome };
  assert.partialDeepStrictEqual(lazy.outcome, ended);
  assert.deepEqual(
    bench.host.show(bench.host.publish(lazy.task)),
    bench.host.show(bench.host.publish(eager.task)),
  );
  return (lazy.changes ?? []).map(({ kind, path, content }) => `${kind} ${path} ${content}`.trim());
}

const large = Buffer.from(Array.from({ length: 200_001 }, (_, i) => (i * i) >> 5));
const start = {
  a: "one\n",
  "d/b": "two\n",
  "d/e/c": "three\nfour\n",
  "d/e/empty": "",
  d2: null,
  large: Buffer.from(large.toString("latin1"), "ascii"),
};

/** Scripts in /pfs/out, and the changes they are. */
const table: readonly [script: string, ...changes: string[]][] = [
  ["cat a; cat d/e/c; ls -R; cmp /pfs/prev/large large && cat /pfs/prev/d/b"],
  ["echo more >>a", "append a more"],
  ["cat a >>a2; cat a2", "append a2 one"],
  ["echo one >a", "replace a one"],
  ["printf 'one\\nmore' >a", "replace a one\nmore"],
  [">d/e/empty", "replace d/e/empty"],
  ["touch a; chmod 600 a; chmod 644 a"],
  ["sed -i s/t/T/ d/b; cat d/b", "replace d/b Two"],
  ["printf T | dd of=d/b bs=1 conv=notrunc 2>&-", "replace d/b Two"],
  ["truncate -s 6 a; od -c a", "append a \0\0".trim()],
  ["truncate -s 2 a; truncate -s 4 a; od -c a", "replace a on\0\0".trim()],
  ["rm -r d", "delete d"],
  ["rm -r d; mkdir d; echo x >d/b", "delete d/e", "replace d/b x"],
  [
    "mv d g",
    "delete d",
    "mkdir g",
    "append g/b two",
    "mkdir g/e",
    "append g/e/c three\nfour",
    "append g/e/empty",
  ],
  ["mv d g; echo x >>g/e/c; mv g d", "append d/e/c x"],
  [
    "mv d g; ln -s g d; rm d/b",
    "delete d/b",
    "mkdir g",
    "mkdir g/e",
    "append g/e/c three\nfour",
    "append g/e/empty",
  ],
  ["rm a; mkdir a; echo x >a/y", "delete a", "mkdir a", "append a/y x"],
  ["rm -r d; echo x >d", "delete d", "append d x"],
  ["exec 3>n; rm n; echo x >&3; cat /proc/self/fd/3; exec 3>&-; ls"],
  ["exec 3<>a; rm a; echo x >&3; echo new >a; cat a; exec 3>&-; cat a", "replace a new"],
  ["ln a b; echo x >>b; cat a; stat -c %h a", "append a x", "append b one\nx"],
  ["ln a b; rm a; mv b a; cat a"],
  [
    "ln -s a l; ln -s /pfs/out/d l2; cat l l2/b",
    "append l one",
    "mkdir l2",
    "append l2/b two",
    "mkdir l2/e",
    "append l2/e/c three\nfour",
    "append l2/e/empty",
  ],
  ["(for i in 1 2 3 4 5; do echo x >>a & done; wait); wc -l <a", "append a x\nx\nx\nx\nx"],
  ["mkdir -p x/y/z; mv x/y w; rmdir d2; ls -R", "delete d2", "mkdir w", "mkdir w/z", "mkdir x"],
  ["mkfifo p; (echo through >p &); cat p; rm p"],
  ["ln -s nowhere l"],
  ["ln -s /etc/passwd l"],
  ["mkfifo p"],
  [
    "umask 077; echo x >n; stat -c '%a %u' n; mkdir m; stat -c %a m; chmod 0 n",
    "mkdir m",
    "append n x",
  ],
  [
    "touch -d 2001-02-03T04:05:06Z n; stat -c %Y n a; cp -p n m; stat -c %Y m",
    "append m",
    "append n",
  ],
  [
    "tail -c 3 large | od -c; echo x | dd of=large bs=1 seek=123456 conv=notrunc 2>&-; cksum large; rm large",
    "delete large",
  ],
  ["mkdir t; cd t; for i in $(seq 300); do echo $i >$i; done; ls | wc -l; rm -r ../t; ls .."],
];

describe("outputs of lazy tasks", { skip }, () => {
  it("are changed by what is done to them, as those that are laid out", options, async (t) => {
    const bench = await openBench(t);
    const before = bench.host.addView(start);
    for (const [script, ...changes] of table) {
      const found = await sameBothWays(bench, before, `cd /pfs/out || exit 1\n${script}\ntrue`);
      assert.deepEqual(
        found.map((line) => line.replaceAll(/\0+$/g, "")),
        changes.map((line) => line.replaceAll(/\0+$/g, "")),
        script,
      );
    }
  });

  it("are changed by any sequence of operations as those that are laid out", options, async (t) => {
    const bench = await openBench(t);
    const before = bench.host.addView(start);
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 25 }), async (operations) => {
        const script = `cd /pfs/out || exit 1\n${operations.map(tried).join("\n")}\n${readAll}`;
        await sameBothWays(bench, before, script);
      }),
      { numRuns: Number(process.env["MAMMOTH_LAZY_RUNS"] ?? 4) },
    );
  });

  it("bring what is read, and nothing of what is only appended to", options, async (t) => {
    const bench = await openBench(t);
    const before = bench.host.addView({ ...start, large: Buffer.alloc(5_000_000, 7) });
    const table: [script: string, bytesMin: number, bytesMax: number][] = [
      ["echo x >>/pfs/out/large; >/pfs/out/d/b; rm -r /pfs/out/d; ls -lR /pfs", 0, 0],
      ["tail -c 10 /pfs/out/large", 10, 400_000],
      ["tail -c 10 /pfs/prev/large", 0, 400_000],
      ["mv /pfs/out/large /pfs/out/l", 0, 0],
    ];
    for (const [script, bytesMin, bytesMax] of table) {
      const attempt = await change(bench, before, script, { isLazy: true });
      assert.equal(attempt.outcome?.kind, "success");
      const fetched = fetchedOf(attempt);
      assert.ok(fetched >= bytesMin && fetched <= bytesMax, `${script}: ${fetched}`);
    }
    assert.deepEqual(await fs.readdir(`${bench.home}/scratch/tasks`), []);
  });

  it("leave nothing on the disk of the worker, and no file open", options, async (t) => {
    const bench = await openBench(t);
    const before = bench.host.addView(start);
    const write =
      "cd /pfs/out; for i in $(seq 40); do dd if=/dev/zero of=n$i bs=270000 count=1 status=none; done";
    const table: [script: string, changes: number, timeoutMs: number][] = [
      [`${write}; rm n1*; cat n* | cksum`, 29, 30_000],
      [`${write}; sleep 60`, 0, 1_000],
    ];
    for (const [script, count, timeoutMs] of table) {
      const task = { timeoutMs };
      const { changes = [] } = await change(bench, before, script, { isLazy: true, task });
      assert.equal(changes.length, count);
      assert.deepEqual(await fs.readdir(`${bench.home}/scratch/tasks`), []);
      const links = (await fs.readdir("/proc/self/fd")).map(
        async (name) => await fs.readlink(`/proc/self/fd/${name}`).catch(() => ""),
      );
      const open = (await Promise.all(links)).filter((path) => path.startsWith(bench.home));
      assert.deepEqual(
        open.filter((path) => path.includes("/written/")),
        [],
      );
    }
  });

  it("are written by users of all kinds, and by mappings", options, async (t) => {
    const bench = await openBench(t);
    const before = bench.host.addView({ ...start, page: "x".repeat(5_000) });
    const map = [
      "import mmap",
      "with open('/pfs/out/page', 'r+b') as f:",
      "    m = mmap.mmap(f.fileno(), 0)",
      "    m[4990:4995] = b'hello'",
      "    print(m[4985:5000])",
    ].join("\n");
    const script = `cd /pfs/out; echo x >>a; mkdir d/n; echo y >d/n/m; chmod 0 d/b; cat d/b 2>&- || echo no; stat -c '%u %g %a' a d/n d/n/m; python3 -c "${map}"`;
    for (const user of [undefined, "65534:65534"]) {
      const task = user === undefined ? {} : { demands: { user } };
      const changes = await sameBothWays(bench, before, script, task);
      assert.equal(changes.length, 4);
    }
  });

  it(
    "fail the attempt when they cannot be read, by the command or at its end",
    options,
    async (t) => {
      const bench = await openBench(t);
      const before = bench.host.addView({ ...start, large: Buffer.alloc(600_000, 7) });
      bench.host.readFile = () => {
        throw new CodedError("data_loss", "the pack is gone");
      };
      for (const script of ["cat /pfs/out/large || true", "mv /pfs/out/large /pfs/out/l"]) {
        const { outcome } = await change(bench, before, script, { isLazy: true });
        assert.ok(outcome?.kind === "failure");
        assert.match(outcome.error, /the pack is gone$/);
      }
    },
  );
});

/** Places of a small world, so that operations meet. */
const path = fc.constantFrom("a", "d", "d/b", "d/e", "d/e/c", "d2", "d2/x", "n", "n/y", "large");
const bytes = fc.constantFrom(0, 1, 3, 4, 5, 9, 5_000, 300_000);
const operation = fc.oneof(
  fc.tuple(fc.constantFrom(">", ">>", ">>", "1<>"), path).map(([how, p]) => `echo text ${how}${p}`),
  fc
    .tuple(
      fc.constantFrom(
        "rm -r",
        "rmdir",
        "mkdir",
        "cksum",
        "ls",
        "chmod 700",
        "touch",
        "stat -c '%F %a'",
      ),
      path,
    )
    .map(([what, p]) => `${what} ${p}`),
  fc
    .tuple(fc.constantFrom("mv", "mv -T", "ln", "cp -r", "cp -rT"), path, path)
    // What a copy into itself leaves depends on the order of names.
    .filter(([what, p, q]) => !what.startsWith("cp") || !`${q}/`.startsWith(`${p}/`))
    .map(([what, p, q]) => `${what} ${p} ${q}`),
  fc.tuple(path, path).map(([p, q]) => `ln -s /pfs/out/${p} ${q}`),
  fc.tuple(bytes, path).map(([n, p]) => `truncate -cs ${n} ${p}`),
  fc
    .tuple(bytes, path)
    .map(([n, p]) => `[ ! -f ${p} ] || echo here | dd of=${p} bs=1 seek=${n} conv=notrunc`),
  path.map((p) => `[ ! -f ${p} ] || sed -i 's/e/E/' ${p}`),
  path.map(
    (p) => `[ ! -f ${p} ] || { exec 3<>${p}; rm ${p}; echo gone >&3; echo new >${p}; exec 3>&-; }`,
  ),
);

/** What a shell says of it may differ, how it ends may not; standard output of nothing else is compared. */
function tried(line: string): string {
  return `( ${line} ) 2>&-; echo $?`;
}

/** What is to be seen of everything. */
const readAll =
  "find . -printf '%p %y %m %l\\n' | LC_ALL=C sort; find . -type f -printf '%p %s %n\\n' | LC_ALL=C sort; " +
  "find . -type f -print0 | LC_ALL=C sort -z | xargs -0 cksum; true";
