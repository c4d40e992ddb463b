import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { localProof } from "../../src/base/local-proof.ts";
import { openTestDaemon, testFolder } from "./testing/daemon.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

/** Files that are easily stored wrong, by their paths. */
function writeTree(folder: string): Map<string, Buffer> {
  const files = new Map<string, Buffer>([
    ["empty", Buffer.alloc(0)],
    ['a "quoted"\nname', Buffer.from("apple 4\n")],
    ["d/e/f/deep", Buffer.from("pear 1")],
    ["large.bin", seededBytes("large", 9 << 20)],
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
  const headers = proof === undefined ? {} : { "mammoth-local-proof": proof };
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
  for (const [branch, way] of [
    ["named", "local"],
    ["sent", "tar"],
  ] as const) {
    // What another user sees of it.
    if (way === "tar") rmSync(secretFile);
    const put = await daemon.pachctl([
      "put-file",
      "data",
      branch,
      "in",
      "-c",
      "-r",
      "-f",
      folder,
      "-v",
    ]);
    assert.equal(put.code, 0, put.stderr);
    assert.match(put.stderr, new RegExp(`POST /repos/data/branches/${branch}/${way} 201`));
    for (const [path, content] of files) {
      const below = path.split("/").map(encodeURIComponent).join("/");
      const answer = await fetch(`${api}/repos/data/commits/${branch}/files/in/${below}`);
      assert.ok(Buffer.from(await answer.arrayBuffer()).equals(content), path);
    }
  }
  const differences = await daemon.ok(["diff-file", "data", "named", "sent"]);
  assert.match(differences, /^0 added, 0 changed, 0 deleted$/m);
});

test("POST …/local is for those who prove that they may read what the daemon may", async (t) => {
  const daemon = await openTestDaemon(t);
  await daemon.ok(["create-repo", "data"]);
  const api = `http://${daemon.address}/api/v1`;
  const url = `${api}/repos/data/branches/master/local`;
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
  assert.equal(
    await daemon.ok(["get-file", "data", "master", "host"]),
    readFileSync("/etc/hostname", "utf8"),
  );
});
