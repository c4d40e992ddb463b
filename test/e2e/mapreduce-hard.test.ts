// Goal: what a shell's pipeline can take, MapReduce can: much more than its memory, one key with very many values, very
// many keys, nothing, a line of many megabytes, bytes that are no text; and the memory of the daemon stays flat.
// Method: one real daemon with the least memory a sort may have, real commands, answers from `LC_ALL=C sort`.
// MAMMOTH_LARGE=1 runs the sizes that are promised.
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { run, TestDaemon, testFolder } from "./testing/daemon.ts";

const isLarge = process.env["MAMMOTH_LARGE"] === "1";
const pachctl = fileURLToPath(new URL("../../bin/pachctl", import.meta.url));
const KiB = 1_024;
const MiB = KiB * KiB;

/** Prints lines in no order, the same each time: `NUMBER<tab>LINE`. */
const shuffled = (lines: number): string =>
  `awk 'BEGIN { x = 1; for (i = 0; i < ${lines}; i++) { x = (x * 69069 + 12345) % 4294967296; printf "%010d\\tline %d with some text to carry\\n", x, i } }'`;

interface Case {
  readonly what: string;
  /** Prints the input. */
  readonly make: string;
  readonly flags: Readonly<Record<string, string>>;
  /** Makes the expected result of it. */
  readonly answer: string;
}

const values = isLarge ? 10_000_000 : 100_000;
const keys = isLarge ? 1_000_000 : 20_000;
const lineBytes = isLarge ? 200 * MiB : 6 * MiB;
const lines = isLarge ? 1_500_000 : 200_000;
const add = `awk -F '\\t' '$1 != k { if (NR > 1) print k "\\t" n; k = $1; n = 0 } { n++ } END { if (NR > 0) print k "\\t" n }'`;

const cases: readonly Case[] = [
  {
    what: "ten times its memory",
    make: shuffled(lines),
    flags: { mapper: "cat", merge: "" },
    answer: "sort -s -k1,1",
  },
  {
    what: "one key with very many values, in their order",
    make: `seq ${values}`,
    flags: { mapper: "sed 's/^/k\\t/'", reducer: "cut -f 2" },
    answer: "cat",
  },
  {
    what: "one line very many times",
    make: `yes 'the same again' | head -n ${values}`,
    flags: { mapper: "cat", reducer: "uniq -c" },
    answer: "uniq -c",
  },
  {
    what: "very many keys",
    make: `seq ${keys} | sed 's/.*/& & &/'`,
    flags: { mapper: "tr ' ' '\\n'", reducer: add, partitions: "3" },
    answer: `tr ' ' '\\n' | sort | ${add}`,
  },
  {
    what: "nothing, which the reducer is given all the same",
    make: "true",
    flags: { mapper: "cat", reducer: "wc -l" },
    answer: "echo 0",
  },
  {
    what: "a line far larger than its memory, between small ones",
    make: `echo b; head -c ${lineBytes} /dev/zero | tr '\\0' a; echo; echo a`,
    flags: { mapper: "cat", merge: "" },
    answer: "sort",
  },
  {
    what: "bytes that are no text",
    make: "openssl enc -aes-128-ctr -K 00 -iv 00 -nosalt 2>/dev/null </dev/zero | head -c 1000000; echo",
    flags: { mapper: "cat", "key-fields": "2", separator: "e" },
    answer: "sort -s -t e -k 1,2",
  },
];

describe("mapreduce of hard cases", () => {
  let daemon: TestDaemon;
  let folder: string;
  const hooks: (() => unknown)[] = [];
  before(async () => {
    folder = testFolder({ after: (hook: () => unknown) => void hooks.push(hook) } as never);
    daemon = new TestDaemon(join(folder, "root"), ["--log-level", "warn"]);
    await daemon.start();
    await daemon.ok(["create-repo", "data"]);
  });
  after(async () => {
    await daemon.stop("SIGKILL");
    for (const hook of hooks) await hook();
  });
  const shell = async (script: string): Promise<void> => {
    const env = { LC_ALL: "C", ADDRESS: daemon.address, PACHCTL: pachctl };
    const { code, stderr } = await run("sh", ["-c", `set -e\n${script}`], { cwd: folder, env });
    assert.equal(code, 0, stderr);
  };
  const peakBytes = (): number =>
    Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))![1]) * KiB;

  for (const [number, { what, make, flags, answer }] of cases.entries())
    test(`takes ${what}`, async () => {
      const name = `case-${number}`;
      await shell(`(${make}) >${name}; <${name} "$PACHCTL" put-file -c data master ${name}`);
      const before = peakBytes();
      const options = Object.entries({ memory: "6Mi", ...flags }).flatMap(([flag, value]) =>
        value === "" ? [`--${flag}`] : [`--${flag}`, value],
      );
      const at = ["--input", `data/master/${name}`, "--output", `output_${number}`];
      await daemon.ok(["mapreduce", ...at, ...options]);
      const partitions = Number(flags["partitions"] ?? 1);
      const get = Array.from(
        { length: partitions },
        (_, i) => `"$PACHCTL" get-file output_${number} master part-0000${i}`,
      );
      const all = `(${get.join("; ")}) ${partitions > 1 ? "| sort" : ""}`;
      await shell(`${all} >got; <${name} ${answer} >expected; cmp got expected; rm ${name}`);
      // Memory that the input takes as a whole would show; a single line is in memory as a whole, up to four times.
      const isOneLine = what.startsWith("a line");
      const more = 110 * MiB + (isOneLine ? 4 * lineBytes : 0);
      assert.ok(peakBytes() - before < more, `${peakBytes() - before} bytes more`);
    });

  for (const [how, mapper, expected] of [
    ["ends before it has read its input", "head -n 1", "1\n"],
    ["closes its input", "exec <&-; echo closed", "closed\n"],
    ["prints half a line", "cat >/dev/null; printf half", "half\n"],
    ["closes its output", "exec >&-; cat >/dev/null", ""],
    ["leaves something running", "sleep 60 & cat | tail -n 1", "200000\n"],
  ] as const)
    test(`takes a mapper that ${how}`, async () => {
      await shell(`seq 200000 | "$PACHCTL" put-file -c data master numbers`);
      const at = ["--input", "data/master/numbers", "--output", "mapped", "--mapper", mapper];
      await daemon.ok(["mapreduce", ...at]);
      assert.equal(await daemon.ok(["get-file", "mapped", "master", "part-00000"]), expected);
    });

  test("kills a mapper and a reducer that hang, and says so", async () => {
    for (const [mapper, reducer, error] of [
      ["sleep 1000", "cat", /mapper: timed out: killed after 1 s/],
      ["cat", "cat >/dev/null; sleep 1000", /reducer: timed out: killed after 1 s/],
    ] as const) {
      const spec = {
        output: "hung",
        inputs: [{ commit: { repo: { name: "data" }, id: "master" } }],
        transform: { mapReduce: { mapper, reducer, paths: ["data/numbers"] } },
        taskTimeout: "1s",
        retries: 0,
      };
      const said = await daemon.ok(["create-job", "-f", "-"], { stdin: JSON.stringify(spec) });
      const id = said.trim().split("\n").at(-1)!;
      await daemon.ok(["inspect-job", "--block", id]);
      assert.match(await daemon.ok(["inspect-run", id]), error);
    }
  });
});
