// Goal: a file name is bytes, whatever it means to a shell or a URL.
// Method: a local folder of awkward names goes in with put-file -r and is listed and read back by each name.
import { strict as assert } from "node:assert";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { jsonLines, openTestDaemon, testFolder } from "./testing/daemon.ts";

const names = [
  "100%",
  "%41",
  "%2F",
  "a#b",
  "a?b=c",
  "a+b",
  "a&b=c;d",
  "with space",
  " around ",
  "größe",
  "gro\u0308ße",
  "😀",
  "-dash",
  "--help",
  "new\nline",
  "tab\there",
  "back\\slash",
  'quo"te',
  "it's",
  "$HOME",
  "*",
  "~",
  ".hidden",
  "...",
  "a:b",
  "[::1]",
  "x".repeat(255),
  "sub/%/#/?",
];

test("awkward names survive put-file -r, list-file and get-file", async (t) => {
  const daemon = await openTestDaemon(t);
  const folder = join(testFolder(t), "in");
  for (const name of names) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), `content of ${name}\n`);
  }
  await daemon.ok(["create-repo", "files"]);
  await daemon.ok(["put-file", "files", "master", "/", "-c", "-r", "-f", folder]);
  const listed = jsonLines<{ path: string; type: string }>(
    await daemon.ok(["list-file", "files", "master", "--recurse", "--raw"]),
  );
  const files = listed.filter(({ type }) => type === "file").map(({ path }) => path);
  assert.deepEqual(files.toSorted(), names.toSorted());
  for (const name of names) {
    const path = name.split("/").map(encodeURIComponent).join("/");
    const answer = await daemon.fetch(`/repos/files/commits/master/files/${path}`);
    assert.equal(await answer.text(), `content of ${name}\n`, name);
  }
  for (const name of ["100%", "a?b=c", "new\nline", "with space", "sub/%/#/?"])
    assert.equal(await daemon.ok(["get-file", "files", "master", name]), `content of ${name}\n`);
  assert.equal(await daemon.ok(["get-file", "files", "master", "/-dash"]), "content of -dash\n");
  await daemon.ok(["put-file", "files", "master", "%/#/?", "-c"], { stdin: "one by one\n" });
  assert.equal(await daemon.ok(["get-file", "files", "master", "%/#/?"]), "one by one\n");
});

test("a local name that is not UTF-8 is refused in words, and nothing of the folder is put", async (t) => {
  const daemon = await openTestDaemon(t);
  const folder = join(testFolder(t), "in");
  mkdirSync(folder);
  writeFileSync(join(folder, "a"), "a\n");
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/b`), Buffer.from([0xff])]), "b\n");
  await daemon.ok(["create-repo", "files"]);
  const ran = await daemon.pachctl(["put-file", "files", "master", "-c", "-r", "-f", folder]);
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /^Cannot put .*: its name is not UTF-8. Rename it\n$/);
  assert.equal((await daemon.pachctl(["list-commit", "files", "--raw"])).stdout, "");
});
