// Goal: an upload that breaks off or is no tar leaves nothing behind, and the daemon is none the worse.
// Method: raw sockets for what no HTTP client would send; everything a caller can see is compared.
import { strict as assert } from "node:assert";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { before, after, test } from "node:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pack, type Header } from "tar-stream";
import { stateOf } from "../golden/testing/filled-daemon.ts";
import { TestDaemon } from "./testing/daemon.ts";

let folder: string;
let daemon: TestDaemon;
let untouched: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "mammoth-uploads-"));
  daemon = new TestDaemon(join(folder, "root"), []);
  await daemon.start();
  await daemon.ok(["create-repo", "files"]);
  await daemon.ok(["start-commit", "files", "open"]);
  await daemon.ok(["put-file", "files", "open/0", "log"], { stdin: "kept\n" });
  untouched = await stateOf(daemon);
});

after(async () => {
  await daemon.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const intoCommit = "/api/v1/repos/files/commits/open%2F0/files/log";
const asCommit = "/api/v1/repos/files/branches/fresh/files/log";
const tarIntoCommit = "/api/v1/repos/files/commits/open%2F0/tar";
const tarAsCommit = "/api/v1/repos/files/branches/fresh/tar";

/** Nothing is there that was not, nothing is missing, and the daemon blames itself for nothing. */
async function requireUntouched(what: string): Promise<void> {
  assert.equal(await stateOf(daemon), untouched, what);
  assert.doesNotMatch(daemon.log, /"level":(?:50|60)/, what);
}

/** Sends the head and a part of the body, then cuts the connection; waits until the daemon has seen it. */
async function cutOff(path: string, header: string, part: Buffer | string): Promise<void> {
  const [host = "", port] = daemon.address.split(":");
  const socket = connect(Number(port), host);
  socket.resume();
  socket.write(`POST ${path} HTTP/1.1\r\nHost: ${daemon.address}\r\n${header}\r\n\r\n`);
  await new Promise((resolve) => socket.write(part, resolve));
  // Half of the cuts are orderly, so that the daemon sees an end and not a reset.
  if (part.length % 2 === 0) socket.end();
  else socket.resetAndDestroy();
  const closed = await Promise.race([
    new Promise((resolve) => socket.once("close", () => resolve(true))),
    sleep(5_000, false, { ref: false }),
  ]);
  assert.ok(closed, `${path} ${header}: still open after ${part.length} bytes and an end`);
  await (await daemon.fetch("/version")).text();
}

type TarHeader = Partial<Header> & { readonly name: string };

const large = Buffer.alloc(3_000_001, "a line of a large file\n");

test("a body that ends before its length leaves nothing", async () => {
  for (const path of [intoCommit, asCommit]) {
    for (const part of ["lost\n", "lost", large, large.subarray(1)]) {
      await cutOff(path, `Content-Length: ${part.length + 100}`, part);
      await cutOff(path, `Content-Length: 100000000`, part);
    }
  }
  await requireUntouched("Content-Length");
});

test("a chunked body that is cut off leaves nothing", async () => {
  for (const path of [intoCommit, asCommit]) {
    for (const part of ["5\r\nlost\n\r\n", "5\r\nlost\n\r", "ff\r\nlost", "zz\r\nlost\r\n"])
      await cutOff(path, "Transfer-Encoding: chunked", part);
  }
  await requireUntouched("chunked");
});

/** A tar of these entries. */
async function tarOf(
  entries: readonly (readonly [header: TarHeader, content?: string | Buffer])[],
): Promise<Buffer> {
  const tar = pack();
  for (const [header, content] of entries)
    if (content === undefined) tar.entry(header);
    else tar.entry(header, content);
  tar.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of tar) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

const good = [{ name: "good" }, "good\n"] as const;

test("a tar that is cut off leaves nothing", async () => {
  const tar = await tarOf([good, [{ name: "large" }, large], [{ name: "last" }, "last\n"]]);
  for (const path of [tarIntoCommit, tarAsCommit]) {
    for (const bytes of [100, 513, 600, 1_025, 1_000_000, tar.length - 2_000]) {
      await cutOff(path, `Content-Length: ${tar.length}`, tar.subarray(0, bytes));
      // The same as a whole body: what it says of itself is right, but the tar in it is not.
      const answer = await post(path, tar.subarray(0, bytes));
      assert.match(answer, /^400 .*Cannot read the tar: /, `${path} ${bytes}`);
    }
  }
  await requireUntouched("cut tar");
});

async function post(path: string, body: Buffer): Promise<string> {
  const answer = await fetch(`http://${daemon.address}${path}`, { method: "POST", body });
  return `${answer.status} ${await answer.text()}`;
}

/** What is wrong, the last entry of the tar, and what is said. */
const badEntries: readonly (readonly [TarHeader, RegExp])[] = [
  [{ name: "link", type: "symlink", linkname: "/etc/passwd" }, /link: it is a symlink in the tar/],
  [{ name: "link", type: "link", linkname: "good" }, /link: it is a link in the tar/],
  [{ name: "pipe", type: "fifo" }, /pipe: it is a fifo in the tar/],
  [{ name: "null", type: "character-device" }, /null: it is a character-device in the tar/],
  [{ name: "../up" }, /path \\"\.\.\/up\\": it leaves the root/],
  [{ name: "a/../../up" }, /path \\"a\/\.\.\/\.\.\/up\\": it leaves the root/],
  [{ name: "." }, /it is the root of the repo/],
  [{ name: "log/below" }, /\/log is a file, so nothing can be put below it/],
  [{ name: "good/below" }, /file type conflict/],
];

test("a tar with a wrong entry is refused whole", async () => {
  for (const [header, said] of badEntries) {
    const tar = await tarOf([good, header.type === undefined ? [header, "x"] : [header]]);
    const answer = await post(tarIntoCommit, tar);
    assert.match(answer, /^4\d\d /, answer);
    assert.match(answer, said);
    await requireUntouched(header.name);
  }
});

test("what is no tar is refused", async () => {
  for (const bytes of [1, 511, 512, 1_024, 100_000]) {
    for (const fill of ["text\n", "\u0001", "\u00ff"]) {
      const answer = await post(tarAsCommit, Buffer.alloc(bytes, fill));
      assert.match(answer, /^400 .*Cannot read the tar: /, `${bytes} of ${fill}`);
    }
  }
  await requireUntouched("garbage");
});

test("a request that is no HTTP is refused, and the daemon goes on", async () => {
  const [host = "", port] = daemon.address.split(":");
  for (const garbage of ["\u0016\u0003\u0001\u0002", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"]) {
    const socket = connect(Number(port), host);
    socket.end(garbage);
    assert.match(await text(socket), /^(?:HTTP\/1\.1 [45]\d\d |$)/);
  }
  await requireUntouched("no HTTP");
});
