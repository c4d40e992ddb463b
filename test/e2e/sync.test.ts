import assert from "node:assert/strict";
import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { openTestDaemon, testFolder, type Ran, type TestDaemon } from "./testing/daemon.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

interface Bed {
  readonly daemon: TestDaemon;
  readonly folder: string;
  write(files: Readonly<Record<string, string | Buffer>>): void;
  /** Files are as old as they say: none is too young to be relied on. */
  age(...paths: string[]): void;
  sync(...flags: string[]): Promise<Ran>;
  /** What the branch has below `in`. */
  stored(): Promise<Record<string, string>>;
}

async function openBed(t: TestContext): Promise<Bed> {
  const daemon = await openTestDaemon(t);
  const base = testFolder(t);
  const folder = join(base, "tree");
  mkdirSync(folder);
  await daemon.ok(["create-repo", "data"]);
  const env = { XDG_CACHE_HOME: join(base, "cache"), XDG_STATE_HOME: join(base, "state") };
  return {
    daemon,
    folder,
    write(files) {
      for (const [path, content] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), content);
      }
    },
    age(...paths) {
      for (const path of paths) utimesSync(join(folder, path), 1_000_000_000, 1_000_000_000);
    },
    sync: (...flags) =>
      daemon.pachctl(["put-file", "data", "master", "in", "-r", "--sync", "-f", folder, ...flags], {
        env,
      }),
    async stored() {
      const answer = await daemon.fetch("/repos/data/commits/master/list/in?recurse=true");
      if (answer.status === 404) return {};
      const { files } = (await answer.json()) as { files: { path: string; type: string }[] };
      const found: Record<string, string> = {};
      for (const { path, type } of files) {
        if (type !== "file") continue;
        const content = await daemon.fetch(`/repos/data/commits/master/files/${path}`);
        found[path.slice(3)] = await content.text();
      }
      return found;
    },
  };
}

async function commits(daemon: TestDaemon): Promise<number> {
  return (await daemon.ok(["list-commit", "data", "-a"])).trim().split("\n").length - 1;
}

test("put-file --sync makes a folder like its source, and a commit only when something differs", async (t) => {
  const bed = await openBed(t);
  const files: Record<string, string> = { "a/one": "1\n", "a/two": "2\n", b: "3\n", empty: "" };
  bed.write(files);
  const steps: readonly {
    what: string;
    change: () => void;
    flags: string[];
    says: RegExp;
    commits: number;
    stored: Record<string, string>;
  }[] = [
    {
      what: "the first time",
      change: () => undefined,
      flags: ["-c"],
      says: /^data\/master\/0: 4 added, 0 replaced, 0 deleted, 0 unchanged; put 6 B$/m,
      commits: 1,
      stored: files,
    },
    {
      what: "nothing changed",
      change: () => undefined,
      flags: ["-c"],
      says: /^Nothing to put: 0 added, 0 replaced, 0 deleted, 4 unchanged$/m,
      commits: 1,
      stored: files,
    },
    {
      what: "written again, with the same bytes and the same times",
      change: () => {
        bed.write({ b: "3\n" });
        bed.age("b", "a/one");
      },
      flags: ["-c"],
      says: /^Nothing to put/m,
      commits: 1,
      stored: files,
    },
    {
      what: "the same length and time, other bytes",
      change: () => {
        bed.write({ b: "4\n" });
        bed.age("b");
      },
      flags: ["-c"],
      says: /0 added, 1 replaced, 0 deleted, 3 unchanged; put 2 B/,
      commits: 2,
      stored: { ...files, b: "4\n" },
    },
    {
      what: "a file is gone, which is left",
      change: () => rmSync(join(bed.folder, "a"), { recursive: true }),
      flags: ["-c"],
      says: /Nothing to put: 0 added, 0 replaced, 0 deleted, 2 unchanged/,
      commits: 2,
      stored: { ...files, b: "4\n" },
    },
    {
      what: "and then deleted, with its directory",
      change: () => bed.write({ new: "5\n" }),
      flags: ["-c", "--delete"],
      says: /1 added, 0 replaced, 2 deleted, 2 unchanged/,
      commits: 3,
      stored: { b: "4\n", empty: "", new: "5\n" },
    },
    {
      what: "a directory where a file was, and the other way round",
      change: () => {
        rmSync(join(bed.folder, "b"));
        bed.write({ "b/c/d": "6\n" });
      },
      flags: ["-c", "--delete"],
      says: /1 added, 0 replaced, 1 deleted, 2 unchanged/,
      commits: 4,
      stored: { "b/c/d": "6\n", empty: "", new: "5\n" },
    },
    {
      what: "an empty source",
      change: () => {
        rmSync(bed.folder, { recursive: true });
        mkdirSync(bed.folder);
      },
      flags: ["-c", "--delete"],
      says: /0 added, 0 replaced, 3 deleted, 0 unchanged/,
      commits: 5,
      stored: {},
    },
  ];
  for (const step of steps) {
    step.change();
    const ran = await bed.sync(...step.flags);
    assert.equal(ran.code, 0, `${step.what}: ${ran.stderr}`);
    assert.match(ran.stdout, step.says, step.what);
    assert.equal(await commits(bed.daemon), step.commits, step.what);
    assert.deepEqual(await bed.stored(), step.stored, step.what);
  }
});

test("put-file --sync reads nothing again that the first one put", async (t) => {
  const bed = await openBed(t);
  bed.write({ a: "1\n", "b/c": "2\n" });
  // They could change once more without their times telling.
  await setTimeout(200);
  assert.equal((await bed.sync("-c")).code, 0);
  const again = await bed.sync("-c", "-v");
  assert.match(again.stdout, /^Nothing to put: .* 2 unchanged$/m);
  assert.doesNotMatch(
    again.stderr,
    /\/list\//,
    "the folder there is not listed, for nothing here is compared",
  );
});

test("put-file --sync sees what others wrote, and files that several puts made", async (t) => {
  const bed = await openBed(t);
  bed.write({ log: "one\ntwo\n", "large.bin": seededBytes("large", 20 << 20) });
  bed.age("log", "large.bin");
  assert.equal((await bed.sync("-c")).code, 0);
  assert.match((await bed.sync("-c")).stdout, /Nothing to put/);
  // The same bytes by two puts.
  await bed.daemon.ok(["put-file", "data", "master", "in/log", "-c", "--overwrite"], {
    stdin: "one\n",
  });
  await bed.daemon.ok(["put-file", "data", "master", "in/log", "-c"], { stdin: "two\n" });
  assert.equal((await bed.sync("-c")).code, 0);
  assert.equal(await bed.daemon.ok(["get-file", "data", "master", "in/log"]), "one\ntwo\n");
  assert.match((await bed.sync("-c")).stdout, /Nothing to put/);
  await bed.daemon.ok(["put-file", "data", "master", "in/other", "-c"], { stdin: "theirs\n" });
  assert.match((await bed.sync("-c")).stdout, /Nothing to put: .* 2 unchanged/);
  assert.match((await bed.sync("-c", "--delete")).stdout, /1 deleted, 2 unchanged/);
  // Into an open commit, with a cache that is damaged.
  rmSync(join(bed.folder, "..", "cache"), { recursive: true });
  bed.write({ log: "three\n" });
  await bed.daemon.ok(["start-commit", "data", "master"]);
  assert.match((await bed.sync()).stdout, /0 added, 1 replaced, 0 deleted, 1 unchanged/);
  assert.match((await bed.sync()).stdout, /Nothing to put/);
  await bed.daemon.ok(["finish-commit", "data", "master"]);
  assert.equal(await bed.daemon.ok(["get-file", "data", "master", "in/log"]), "three\n");
});

test("put-file --sync refuses before it changes anything", async (t) => {
  const bed = await openBed(t);
  bed.write({ "a/b": "1\n" });
  assert.equal((await bed.sync("-c")).code, 0);
  rmSync(join(bed.folder, "a"), { recursive: true });
  bed.write({ a: "2\n" });
  const refused: readonly [string[], RegExp][] = [
    [["-c"], /a\/b is in the place of a file. Add --delete/],
    [["-c", "--overwrite"], /Give --sync or --overwrite/],
    [["-c", "-f", bed.folder], /--sync takes one directory/],
  ];
  for (const [flags, message] of refused) {
    const ran = await bed.sync(...flags);
    assert.notEqual(ran.code, 0);
    assert.match(ran.stderr, message);
  }
  symlinkSync("/nowhere", join(bed.folder, "broken"));
  const ran = await bed.sync("-c", "--delete");
  assert.match(ran.stderr, /Cannot read .*broken: there is no such file/);
  assert.deepEqual(await bed.stored(), { "a/b": "1\n" });
  const alone = await bed.daemon.pachctl([
    "put-file",
    "data",
    "master",
    "-c",
    "--delete",
    "-f",
    bed.folder,
  ]);
  assert.match(alone.stderr, /--delete goes with --sync only/);
});
