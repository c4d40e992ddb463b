// Goal: programs work on a mount as on any directory, whatever happens to the daemon and the mount's process.
// Method: a real daemon, real `pachctl mount`, and real programs, byte-compared with a plain directory.
import { strict as assert } from "node:assert";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openTestDaemon, run, testFolder, type Ran } from "./testing/daemon.ts";
import { openTestMount, TestMount, whyNoMount } from "./testing/mounted.ts";
import { isRunning, stuckThreads } from "./testing/processes.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

const skip = whyNoMount() ?? false;
const options = { skip, timeout: 120_000 };
const rounds = Number(process.env["MAMMOTH_MOUNT_KILLS"] ?? 3);

/** Runs a shell script in a directory; it must succeed. */
async function shell(cwd: string, script: string): Promise<string> {
  const env = { HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1", LC_ALL: "C" };
  const { code, stdout, stderr } = await run("sh", ["-ec", script], { cwd, env });
  assert.equal(code, 0, `${script}: ${stderr}`);
  return stdout;
}

async function isInstalled(program: string): Promise<boolean> {
  return (await run("sh", ["-c", `command -v ${program}`])).code === 0;
}

/** Files of many kinds: names, sizes, depths. */
async function fill(folder: string): Promise<void> {
  const files: Readonly<Record<string, Buffer>> = {
    "sales.txt": Buffer.from("banana 2\napple 4\ncherry 1\n"),
    empty: Buffer.alloc(0),
    "deep/er/still/file.json": Buffer.from('{"a":1}\n{"b":2}\n'),
    "a name with spaces/größe.txt": Buffer.from("größer\n"),
    "large.dat": seededBytes("mount", 5_000_001),
    "numbers.bin": seededBytes("numbers", 100_000),
  };
  for (const [path, bytes] of Object.entries(files)) {
    await fs.mkdir(join(folder, path, ".."), { recursive: true });
    await fs.writeFile(join(folder, path), bytes);
  }
  for (let index = 0; index < 60; index++)
    await fs.writeFile(join(folder, "deep", `file ${index}`), `line ${index}\n`);
}

/** A daemon with a repo `data` that has a finished commit, the same files in a plain directory, and a mount. */
async function openWorld(t: TestContext, args: readonly string[] = []) {
  const daemon = await openTestDaemon(t);
  const plain = join(testFolder(t), "plain");
  await fill(plain);
  await daemon.ok(["create-repo", "data"]);
  await daemon.ok(["put-file", "data", "master", "/", "-c", "-r", "-f", plain]);
  const mount = await openTestMount(t, daemon, args);
  return { daemon, plain, mount, at: (path: string): string => join(mount.point, path) };
}

async function sameBelow(a: string, b: string): Promise<void> {
  const { code, stdout, stderr } = await run("diff", ["-r", a, b]);
  assert.equal(code, 0, stdout + stderr);
}

async function refusalOf(work: Promise<unknown>): Promise<string | undefined> {
  return await work.then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code,
  );
}

describe("pachctl mount", { skip }, () => {
  test("programs read a finished commit as a plain directory", options, async (t) => {
    const { daemon, plain, at } = await openWorld(t);
    const shown = at("data/master-0");
    await sameBelow(plain, shown);
    const scripts = [
      "find . | sort",
      "find . -type f -size +10k -printf '%p %s %y\\n' | sort",
      "ls -R",
      "grep -rc line . | sort",
      "sort sales.txt",
      "tar -cf - --sort=name --mtime=@0 --owner=0 --group=0 --mode=644 . | md5sum",
      "dd if=large.dat bs=7 skip=11113 count=999 2>/dev/null | md5sum",
      "dd if=large.dat bs=65537 skip=3 2>/dev/null | md5sum",
      "tail -c 100001 large.dat | head -c 3 | md5sum",
      `python3 -c "import mmap; f=open('large.dat','rb'); m=mmap.mmap(f.fileno(),0,prot=mmap.PROT_READ); print(m[4321:4400].hex(), m[-5:].hex(), len(m))"`,
    ];
    for (const script of scripts)
      assert.equal(await shell(shown, script), await shell(plain, script), script);
    const copy = join(testFolder(t), "copy");
    await shell("/", `cp -r '${shown}' '${copy}'`);
    await sameBelow(plain, copy);
    if (await isInstalled("rsync")) {
      await shell("/", `rsync -a '${shown}/' '${copy}-2/'`);
      await sameBelow(plain, `${copy}-2`);
    }
    assert.deepEqual((await fs.readdir(at("data"))).toSorted(), ["master", "master-0"]);
    assert.equal(
      await fs.readFile(at("data/master/0/sales.txt"), "utf8"),
      await fs.readFile(join(plain, "sales.txt"), "utf8"),
    );
    const directory = await fs.stat(at("data/master/deep"));
    const below = [...Array(60).keys()].reduce((sum, index) => sum + `line ${index}\n`.length, 16);
    assert.deepEqual([directory.size, directory.mode & 0o777], [below, 0o555]);
    assert.equal((await fs.stat(at("data/master/sales.txt"))).mode & 0o777, 0o444);
    const works: readonly (() => Promise<unknown>)[] = [
      () => fs.writeFile(at("data/master-0/new"), ""),
      () => fs.appendFile(at("data/master-0/sales.txt"), "x"),
      () => fs.unlink(at("data/master-0/sales.txt")),
      () => fs.mkdir(at("data/master-0/folder")),
      () => fs.rename(at("data/master-0/sales.txt"), at("data/master-0/other")),
      () => fs.truncate(at("data/master-0/sales.txt"), 1),
      () => fs.utimes(at("data/master-0/sales.txt"), 1, 1),
    ];
    for (const work of works) assert.equal(await refusalOf(work()), "EROFS");
    assert.equal(await refusalOf(fs.mkdir(at("repo"))), "EPERM");
    assert.equal(await refusalOf(fs.symlink("a", at("data/master-0/link"))), "EPERM");
    const { digest } = JSON.parse(
      await daemon.ok(["inspect-file", "data", "master/0", "sales.txt", "--raw"]),
    ) as { digest: string };
    const attributes = `python3 -c "import os; print([os.getxattr('sales.txt','user.pfs.'+n).decode() for n in ('commit','digest','provenance')])"`;
    assert.equal(await shell(shown, attributes), `['data/master/0', '${digest}', '']\n`);
  });

  test(
    "programs write into an open commit, and all of it is in the finished one",
    options,
    async (t) => {
      const { daemon, plain, mount, at } = await openWorld(t);
      await daemon.ok(["start-commit", "data", "master"]);
      await sleep(1_100);
      const scripts = [
        "cp -r deep copied; mv copied/er moved; rm -r copied",
        "echo more >> sales.txt; sed -i s/apple/pear/ sales.txt; truncate -s 12345 large.dat",
        "dd if=numbers.bin of=large.dat bs=1001 seek=7 count=20 conv=notrunc 2>/dev/null",
        "mkdir -p x/y/z; rmdir x/y/z; touch x/new; : > empty; printf abc > 'x/one two'",
        "sort -o sorted sales.txt; tar -cf all.tar --sort=name --mtime=@0 --owner=0 --group=0 --mode=644 sorted; tar -xf all.tar -C x",
        `python3 -c "
import mmap
f=open('mapped','w+b'); f.truncate(70000); m=mmap.mmap(f.fileno(),0); m[5:10]=b'hello'; m[69990:69995]=b'world'; m.flush(); m.close(); f.close()"`,
        // Renamed before they are closed, onto files that are there.
        `printf old > there; printf old > gone; python3 -c "
import os
def renamed(to):
  f=open('fresh','wb',0); f.write(b'new'); os.rename('fresh',to); return f
renamed('there').close(); f=renamed('gone'); os.unlink('gone'); f.close()"`,
      ];
      if (await isInstalled("sqlite3"))
        scripts.push(
          "sqlite3 table.db 'create table t(a, b); insert into t select value, hex(randomblob(3)) from generate_series(1, 500); delete from t where a % 3 = 0; vacuum;' && sqlite3 table.db 'pragma integrity_check; select count(*) from t' > checked; rm table.db",
        );
      for (const script of scripts) {
        await shell(plain, script);
        await shell(at("data/master"), script);
      }
      await sameBelow(plain, at("data/master"));
      if (await isInstalled("git")) {
        const git = "git -c user.name=a -c user.email=b";
        await shell(
          at("data/master"),
          `git init -q g; cd g; echo x > f; git add .; ${git} commit -qm one; git fsck --strict; echo y >> f; ${git} commit -qam two; git gc -q`,
        );
        assert.equal(
          await shell(at("data/master/g"), "git log --format=%s; git status --short"),
          "two\none\n",
        );
        await shell(at("data/master"), "rm -rf g");
      }
      const each = Array.from({ length: 64 }, (_, index) => index);
      await Promise.all(
        each.map(async (index) => {
          const bytes = seededBytes(`parallel ${index}`, 1_000 * index);
          await fs.writeFile(at(`data/master/parallel-${index}`), bytes);
          await fs.writeFile(join(plain, `parallel-${index}`), bytes);
          assert.ok((await fs.readFile(at(`data/master/parallel-${index}`))).equals(bytes));
        }),
      );
      await daemon.ok(["finish-commit", "data", "master/1"]);
      await sleep(1_100);
      await sameBelow(plain, at("data/master"));
      await daemon.ok(["unmount", mount.point]);
      assert.equal(await mount.ended(), 0);
      assert.equal(mount.log, "");
      const later = await openTestMount(t, daemon, ["data/master/1", "--read-only"]);
      await sameBelow(plain, later.point);
    },
  );

  test(
    "what others write is seen when a file is opened, and close says when a commit has finished",
    options,
    async (t) => {
      const { daemon, mount, at } = await openWorld(t, ["data"]);
      await daemon.ok(["start-commit", "data", "master"]);
      const put = (text: string): Promise<string> =>
        daemon.ok(["put-file", "data", "master/1", "live"], { stdin: text });
      await put("one\n");
      assert.equal(await fs.readFile(at("master-1/live"), "utf8"), "one\n");
      await put("two\n");
      assert.equal(await fs.readFile(at("master-1/live"), "utf8"), "one\ntwo\n");
      // Before the kernel looks again how long it is.
      const live = "/repos/data/commits/master%2F1/files/live";
      assert.equal((await daemon.fetch(live, { method: "POST", body: "three\n" })).status, 200);
      await fs.appendFile(at("master-1/live"), "mine\n");
      assert.equal(await fs.readFile(at("master-1/live"), "utf8"), "one\ntwo\nthree\nmine\n");
      assert.equal(
        await daemon.ok(["get-file", "data", "master/1", "live"]),
        "one\ntwo\nthree\nmine\n",
      );
      for (const text of ["ab", "cde"]) await fs.appendFile(at("master-1/blocks.bin"), text);
      const file = await fs.open(at("master-1/late"), "w");
      await file.write("acknowledged");
      await file.sync();
      assert.equal(await daemon.ok(["get-file", "data", "master/1", "late"]), "acknowledged");
      await file.write(", and lost");
      // Not by a process started here: it would have the file, and close it.
      const finish = "/repos/data/commits/master%2F1/finish";
      assert.equal((await daemon.fetch(finish, { method: "POST" })).status, 200);
      assert.equal(await refusalOf(file.close()), "EIO");
      assert.match(
        mount.log,
        /Cannot write late of data\/master\/1: commit data\/master\/1 has already finished/,
      );
      assert.equal(await daemon.ok(["get-file", "data", "master/1", "late"]), "acknowledged");
    },
  );

  test("a shard, all commits, and one branch alone are shown", options, async (t) => {
    const { daemon } = await openWorld(t);
    await daemon.ok(["start-commit", "data", "master"]);
    await daemon.ok(["finish-commit", "data", "master/1", "--cancel"]);
    const names = async (args: readonly string[]): Promise<string[]> => {
      const mount = await openTestMount(t, daemon, args);
      const found = (await fs.readdir(mount.point)).toSorted();
      assert.equal(await mount.stop(), 0);
      assert.deepEqual(await fs.readdir(mount.point), [], "an empty directory again");
      return found;
    };
    const all = await names(["data/master/0"]);
    const shards = await Promise.all(
      [0, 1].map((n) => names(["data/master/0", "-s", `${n}`, "-m", "2"])),
    );
    assert.ok(shards.every((shard) => shard.length > 0 && shard.length < all.length));
    assert.deepEqual(shards.flat().toSorted(), all);
    assert.ok((await names(["data", "-a"])).includes("master-1"));
    assert.ok(!(await names(["data"])).includes("master-1"));
  });
});

describe("pachctl mount, when something goes wrong", { skip }, () => {
  test("a mount point that will not do is named", options, async (t) => {
    const { daemon, plain, mount } = await openWorld(t);
    const refused = async (...args: string[]): Promise<Ran> => await daemon.pachctl(args);
    const table: readonly [readonly string[], RegExp][] = [
      [["mount", plain], /^Cannot mount on .*plain: it is not empty\. Name an empty directory\n$/],
      [["mount", join(plain, "none")], /there is no such directory\. Make it with "mkdir /],
      [["mount", join(plain, "sales.txt")], /it is no directory/],
      [["mount", mount.point], /is mounted there already\. Unmount it with "pachctl unmount /],
      [["mount", "/mnt", "nothing"], /^repo nothing not found/],
      [["unmount", plain], /nothing that pachctl mounted is there/],
      [["unmount"], /Name a mount point, or give --all/],
    ];
    for (const [args, message] of table) {
      const { code, stderr } = await refused(...args);
      assert.match(stderr, message);
      assert.notEqual(code, 0);
    }
    const cwd = await fs.open(join(mount.point, "data/master/sales.txt"));
    assert.match(
      (await refused("unmount", mount.point)).stderr,
      /busy.*\. End the programs that use it, or unmount with --force/,
    );
    assert.equal((await refused("unmount", mount.point, "--force")).code, 0);
    assert.equal(await mount.ended(), 0);
    await cwd.close();
  });

  test(
    `nothing acknowledged is lost and nothing hangs when the mount is killed ${rounds} times`,
    { skip, timeout: 120_000 + rounds * 20_000 },
    async (t) => {
      const { daemon, mount } = await openWorld(t, ["data"]);
      await daemon.ok(["start-commit", "data", "master"]);
      const begun = new Map<string, Buffer>();
      const acknowledged = new Set<string>();
      let current = mount;
      const at = (name: string): string => join(current.point, "master-1", name);
      /** What is there is whole, and what was acknowledged is there. */
      const check = async (prefix: string): Promise<void> => {
        const names = (await fs.readdir(at(""))).filter((name) => name.startsWith(prefix));
        for (const name of names)
          assert.ok((await fs.readFile(at(name))).equals(begun.get(name)!), `${name} is whole`);
        const lost = [...acknowledged].filter((name) => name.startsWith(prefix));
        assert.deepEqual(
          lost.filter((name) => !names.includes(name)),
          [],
        );
      };
      for (let round = 0; round < rounds; round++) {
        const write = async (writer: number): Promise<void> => {
          for (let index = 0; ; index++) {
            const name = `r${round}-${writer}-${index}`;
            const bytes = seededBytes(name, 300 * index);
            begun.set(name, bytes);
            const file = await fs.open(at(name), "w");
            try {
              await file.writeFile(bytes);
              if (writer === 1) await file.sync();
              else await file.close();
              acknowledged.add(name);
            } finally {
              await file.close().catch(() => undefined);
            }
          }
        };
        const writing = [0, 1, 2].map((writer) => write(writer).catch(() => undefined));
        await sleep(200 + 100 * (round % 8));
        await current.stop("SIGKILL");
        await Promise.all(writing);
        const startedMs = performance.now();
        await fs.stat(current.point).catch(() => undefined);
        assert.ok(performance.now() - startedMs < 2_000, "stat returns");
        assert.deepEqual(await stuckThreads([process.pid]), []);
        // What the dead one left is taken away.
        current = new TestMount(mount.point, daemon.address, ["data"]);
        await current.start();
        await check(`r${round}-`);
      }
      t.after(async () => await current.clear());
      t.diagnostic(`${acknowledged.size} files acknowledged`);
      assert.ok(acknowledged.size > rounds);
      await check("r");
      await current.stop("SIGKILL");
      await daemon.ok(["unmount", current.point]);
      assert.deepEqual(await fs.readdir(mount.point), []);
    },
  );

  test(
    "programs wait for a daemon that starts anew, and get an error when it does not",
    options,
    async (t) => {
      const { daemon, plain, mount, at } = await openWorld(t, ["data", "--wait", "20"]);
      const large = await fs.readFile(join(plain, "large.dat"));
      await daemon.ok(["start-commit", "data", "master"]);
      await fs.writeFile(at("master-1/before"), "before");
      await daemon.stop("SIGKILL");
      const reading = fs.readFile(at("master-0/large.dat"));
      const writing = fs.writeFile(at("master-1/meanwhile"), "meanwhile");
      await sleep(500);
      await daemon.start();
      assert.ok((await reading).equals(large));
      await writing;
      assert.equal(await daemon.ok(["get-file", "data", "master/1", "meanwhile"]), "meanwhile");
      await mount.stop();
      const hasty = await openTestMount(t, daemon, ["data", "--wait", "0"]);
      await daemon.stop("SIGKILL");
      assert.equal(await refusalOf(fs.readFile(join(hasty.point, "master-0/large.dat"))), "EIO");
      assert.match(hasty.log, /Cannot look at .*: Cannot reach pachd at /);
      await hasty.stop();
      assert.ok(!isRunning(hasty.pid));
    },
  );
});
