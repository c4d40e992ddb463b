import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileView } from "../../src/base/file-view.ts";
import { localProof } from "../../src/base/local-proof.ts";
import { openClient } from "../../src/client/index.ts";
import { openTestDaemon, testFolder } from "./testing/daemon.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

/** Files that are easily stored wrong, by their paths. */
function writeTree(folder: string): Map<string, Buffer> {
  const files = new Map<string, Buffer>([
    ["empty", Buffer.alloc(0)],
    ['a "quoted"\nname', Buffer.from("apple 4\n")],
    ["d/e/f/deep", Buffer.from("pear 1")],
    ["large.bin", seededBytes("large", 17 << 20)],
    ["text/log", Buffer.from("a line of a log\n".repeat(40_000))],
  ]);
  for (let i = 0; i < 300; i++)
    files.set(`small/${i % 7}/${i}`, seededBytes(String(i), (i * 977) % 140_000));
  for (const [path, content] of files) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  symlinkSync(join(folder, "large.bin"), join(folder, "d/link"));
  files.set("d/link", files.get("large.bin")!);
  return files;
}

async function post(url: string, body: string, proof?: string): Promise<[number, string]> {
  const headers = {
    "content-type": "application/vnd.mammoth.names",
    ...(proof === undefined ? {} : { "mammoth-local-proof": proof }),
  };
  const answer = await fetch(url, { method: "POST", body, headers });
  return [answer.status, await answer.text()];
}

test("pachctl put-file has a daemon of its machine and user read the files itself", async (t) => {
  const daemon = await openTestDaemon(t);
  const folder = join(testFolder(t), "tree");
  mkdirSync(folder);
  const files = writeTree(folder);
  await daemon.ok(["create-repo", "data"]);
  const api = `http://${daemon.address}/api/v1`;
  const { secretFile } = (await (await fetch(`${api}/local`)).json()) as { secretFile: string };
  assert.equal(statSync(secretFile).mode & 0o777, 0o600);
  for (const branch of ["named", "sent"]) {
    // What another user sees of it.
    if (branch === "sent") rmSync(secretFile);
    await daemon.ok(["put-file", "data", branch, "in", "-c", "-r", "-f", folder]);
    for (const [path, content] of files) {
      const below = path.split("/").map(encodeURIComponent).join("/");
      const answer = await fetch(`${api}/repos/data/commits/${branch}/files/in/${below}`);
      assert.ok(Buffer.from(await answer.arrayBuffer()).equals(content), path);
    }
  }
  const differences = await daemon.ok(["diff-file", "data", "named", "sent"]);
  assert.match(differences, /^0 added, 0 changed, 0 deleted$/m);
});

test("pachctl get-file has a daemon of its machine and user write large files itself", async (t) => {
  const daemon = await openTestDaemon(t);
  const folder = testFolder(t);
  const at = (...names: string[]): string => join(folder, ...names);
  await daemon.ok(["create-repo", "data"]);
  const files = new Map(
    [70 << 20, 10, 1 << 20, 65 << 20, 3].map((size, i) => [`f${i}`, seededBytes(`f${i}`, size)]),
  );
  mkdirSync(at("source"));
  for (const [name, content] of files) writeFileSync(at("source", name), content);
  await daemon.ok(["put-file", "data", "master", "in", "-c", "-r", "-f", at("source")]);
  const get = async (path: string, to: string, ...flags: string[]): Promise<string> => {
    const ran = await daemon.pachctl([
      "-v",
      "get-file",
      "data",
      "master",
      path,
      "-o",
      to,
      ...flags,
    ]);
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stderr;
  };
  const saveOne = async (): Promise<string> => {
    const said = await get("in/f0", at("saved"));
    assert.ok(readFileSync(at("saved")).equals(files.get("f0")!));
    return said;
  };
  const saveAll = async (to: string): Promise<string> => {
    const said = await get("in", at(to), "-r");
    for (const [name, content] of files)
      assert.ok(readFileSync(at(to, name)).equals(content), name);
    assert.deepEqual(readdirSync(at(to)), [...files.keys()]);
    return said;
  };
  // A name that is a link to what somebody else has.
  writeFileSync(at("other"), "of somebody else");
  symlinkSync(at("other"), at("saved.part"));
  const named = await saveOne();
  assert.equal(readFileSync(at("other"), "utf8"), "of somebody else");
  assert.match(named, /POST .*\/saves\/in\/f0 200/);
  assert.doesNotMatch(named, /GET .*\/files\/in\/f0/);
  const together = await saveAll("all");
  assert.match(together, /POST .*\/saves\/in\/f0 200[^]*POST .*\/saves\/in\/f3 200/);
  // All of it is to be of one moment.
  await daemon.ok(["start-commit", "data", "master"]);
  const getOpen = ["-v", "get-file", "data", "master/1", "in", "-r", "-o", at("open")];
  const ofOpen = await daemon.pachctl(getOpen);
  assert.equal(ofOpen.code, 0, ofOpen.stderr);
  assert.doesNotMatch(ofOpen.stderr, /\/(saves|files)\//);
  // What another user sees of it.
  const { secretFile } = (await (await daemon.fetch("/local")).json()) as { secretFile: string };
  rmSync(secretFile);
  assert.match(await saveOne(), /GET .*\/files\/in\/f0 206/);
  assert.doesNotMatch(await saveAll("sent"), /\/(saves|files)\//);
});

test("what a get-file is saving, another one does not save too", async (t) => {
  const daemon = await openTestDaemon(t);
  const folder = testFolder(t);
  await daemon.ok(["create-repo", "data"]);
  await daemon.ok(["put-file", "data", "master", "in/f", "-c"], { stdin: "apple\n" });
  const other = spawn("sleep", ["60"]);
  await once(other, "spawn");
  const stat = readFileSync(`/proc/${other.pid}/stat`, "utf8").split(" ");
  const saves = [
    { argv: ["in/f"], to: "saved", state: "saved.part.state", file: "saved" },
    { argv: ["in", "-r"], to: "all", state: "all/.pachctl-get", file: "all/f" },
  ].map(({ argv, to, state, file }) => ({
    argv: ["get-file", "data", "master", ...argv, "-o", join(folder, to)],
    state: join(folder, state),
    file: join(folder, file),
  }));
  mkdirSync(join(folder, "all"));
  for (const { argv, state } of saves) {
    const text = JSON.stringify({ owner: `${other.pid} ${stat[21]}` });
    writeFileSync(state, text);
    const refused = await daemon.pachctl(argv);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      new RegExp(`^Cannot save: process ${other.pid} does it already, as ${state} tells`, "m"),
    );
    assert.equal(readFileSync(state, "utf8"), text);
  }
  other.kill("SIGKILL");
  await once(other, "exit");
  for (const { argv, state, file } of saves) {
    rmSync(state);
    await daemon.ok(argv);
    assert.equal(readFileSync(file, "utf8"), "apple\n");
    assert.ok(!existsSync(state));
  }
});

test("sendFiles() has the daemon read files, which need not be readable here", async (t) => {
  const daemon = await openTestDaemon(t);
  await daemon.ok(["create-repo", "data"]);
  const folder = testFolder(t);
  const sizes = [10, 20 << 20, 3_000, 200_000];
  for (const [i, size] of sizes.entries())
    writeFileSync(join(folder, String(i)), seededBytes(String(i), size));
  const files = sizes.map((sizeBytes, i) => ({
    path: `f${i}`,
    sizeBytes,
    version: "",
    local: join(folder, String(i)),
    open: () => {
      throw new Error("not read here");
    },
  }));
  const machine = {
    fileView: async () => await fileView(fs),
    readText: async (path: string) => await fs.readFile(path, "utf8"),
  };
  const { address } = daemon;
  const [near, far] = [openClient({ address, machine }), openClient({ address })];
  t.after(() => {
    near.close();
    far.close();
  });
  const master = { repo: "data", branch: "master" };
  await assert.rejects(far.uploads.sendFilesCommit(master, files), /not read here/);
  let read = 0;
  const onRead = (_: number, bytes: number): void => {
    read += bytes;
  };
  await near.uploads.sendFilesCommit(master, files, { onRead });
  assert.equal(
    read,
    sizes.reduce((sum, size) => sum + size),
  );
  for (const [i, size] of sizes.entries()) {
    const answer = await daemon.fetch(`/repos/data/commits/master/files/f${i}`);
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(seededBytes(String(i), size)));
  }
  // A file that has become shorter since it was looked at.
  writeFileSync(join(folder, "1"), "short");
  await assert.rejects(near.uploads.sendFilesCommit(master, files), /became shorter/);
});

test("names are taken from those who prove that they may read what the daemon may", async (t) => {
  const daemon = await openTestDaemon(t);
  await daemon.ok(["create-repo", "data"]);
  const api = `http://${daemon.address}/api/v1`;
  const url = `${api}/repos/data/branches/master/tar`;
  const door = (await (await fetch(`${api}/local`)).json()) as { secretFile: string };
  const secret = readFileSync(door.secretFile, "utf8");
  const [address, port] = daemon.address.split(":");
  const here = { address, port: Number(port) };
  const names = `${JSON.stringify(["host", "/etc/hostname"])}\n`;
  const refused: readonly [string, string | undefined][] = [
    ["no proof", undefined],
    ["the secret itself", secret],
    ["the proof for another port", localProof(secret, { ...here, port: here.port + 1 })],
    ["the proof by another secret", localProof("0".repeat(64), here)],
  ];
  for (const [what, proof] of refused) {
    const [status, text] = await post(url, names, proof);
    assert.equal(status, 403, what);
    assert.match(text, /does not prove to be of this daemon's user/, what);
  }
  const proof = localProof(secret, here);
  const wrong: readonly [string, number, RegExp][] = [
    ["{}", 400, /each line is/],
    ['["a"]', 400, /each line is/],
    ['["a","relative/path"]', 400, /each line is/],
    ['["../a","/etc/hostname"]', 400, /\.\./],
    ['["a","/etc/nothing-here"]', 404, /Cannot read \/etc\/nothing-here: there is no such file/],
    ['["a","/etc"]', 400, /Cannot read \/etc: it is a directory/],
  ];
  for (const [body, status, message] of wrong) {
    const [answered, text] = await post(url, `${names}${body}\n`, proof);
    assert.equal(answered, status, text);
    assert.match(text, message);
  }
  assert.equal((await daemon.ok(["list-commit", "data", "--all"])).trim().split("\n").length, 1);
  assert.equal((await post(url, names, proof))[0], 201);
  const save = `${api}/repos/data/commits/master/saves/host?bytes=100`;
  const folder = testFolder(t);
  symlinkSync("/etc/hostname", join(folder, "link"));
  writeFileSync(join(folder, "unmarked"), "x".repeat(100));
  const unwritable: readonly [string, string | undefined, number, RegExp][] = [
    [
      join(folder, "unmarked"),
      proof,
      403,
      /Cannot write .*unmarked: the client's mark is not in it/,
    ],
    [join(folder, "none"), undefined, 403, /does not prove to be of this daemon's user/],
    [join(folder, "none"), proof, 404, /Cannot write .*none: there is no such file/],
    [join(folder, "link"), proof, 400, /Cannot write .*link: too many symbolic links/],
    [folder, proof, 400, /Cannot write .*: it is a directory/],
  ];
  for (const [local, given, status, message] of unwritable) {
    const [answered, text] = await post(
      save,
      `${JSON.stringify(["m".repeat(64), local])}\n`,
      given,
    );
    assert.equal(answered, status, text);
    assert.match(text, message);
  }
  assert.equal(readFileSync(join(folder, "unmarked"), "utf8"), "x".repeat(100));
  assert.equal(
    await daemon.ok(["get-file", "data", "master", "host"]),
    readFileSync("/etc/hostname", "utf8"),
  );
});
