import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text as textOf } from "node:stream/consumers";
import { afterEach, beforeEach, test } from "node:test";
import { unpackTar } from "../client/index.ts";
import { fakePachd, type Answer, type FakePachd } from "../client/testing/fake-pachd.ts";
import { run, type RunResult } from "./testing/run.ts";

const put: Answer = { json: { bytes: 1, files: 1 } };
const committed: Answer = { status: 201, json: { repo: "data", id: "master/0" } };

let directory: string;
let server: FakePachd | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "put-file-"));
  await mkdir(join(directory, "logs/deep/empty"), { recursive: true });
  await writeFile(join(directory, "logs/b"), "bee");
  await writeFile(join(directory, "logs/deep/a"), "");
  await writeFile(join(directory, "sales"), "apple 4\n");
});

afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

/** Runs put-file against handlers; \`@\` in an argument stands for the directory. */
async function putFile(
  args: string,
  handlers: Record<string, Answer>,
  stdinText?: string,
): Promise<RunResult> {
  await server?.[Symbol.asyncDispose]();
  server = await fakePachd(handlers);
  const argv = ["put-file", ...args.split(" ").map((arg) => arg.replace("@", directory))];
  return run(argv, { address: server.address, ...(stdinText === undefined ? {} : { stdinText }) });
}

async function puts(
  args: string,
  handlers: Record<string, Answer>,
  stdinText?: string,
): Promise<void> {
  assert.deepEqual(await putFile(args, handlers, stdinText), { exit: 0, stdout: "", stderr: "" });
}

function bodies(): string[] {
  return (server?.received ?? []).map(({ body }) => body.toString());
}

async function tarBodies(): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for await (const { path, content } of unpackTar(
    Readable.from([server?.received[0]?.body ?? Buffer.alloc(0)]),
  )) {
    files[path] = await textOf(content);
  }
  return files;
}

const root = "POST /repos/data/commits/master%2F0/files";

test("put-file puts standard input under PATH", async () => {
  await puts("data master/0 a/b", { [`${root}/a/b`]: put }, "hello");
  assert.deepEqual(bodies(), ["hello"]);
});

test("put-file stores one file under PATH, or under its name as typed", async () => {
  await puts("data master/0 s -f @/sales --overwrite", { [`${root}/s`]: put });
  assert.deepEqual(bodies(), ["apple 4\n"]);
  assert.equal(server?.received[0]?.query.get("overwrite"), "true");
  await puts("data master/0 -f @/./logs/../sales", { [`${root}${directory}/sales`]: put });
});

test("put-file lets pachd fetch a URL", async () => {
  await puts("data master/0 sales -f http://h/a%20b/c?d=e", { [`${root}/sales`]: put });
  assert.equal(server?.received[0]?.query.get("url"), "http://h/a%20b/c?d=e");
  await puts("data master/0 -f http://h/a%20b/c?d=e", { [`${root}/a%20b/c`]: put });
});

test("put-file -c makes a commit of its own", async () => {
  await puts("data master sales -c -f @/sales", {
    "POST /repos/data/branches/master/files/sales": committed,
  });
  assert.deepEqual(bodies(), ["apple 4\n"]);
  await puts("-c data master n", { "POST /repos/data/branches/master/files/n": committed }, "1\n");
  assert.deepEqual(bodies(), ["1\n"]);
  await puts("data master sales -c -f http://h/s", {
    "POST /repos/data/branches/master/files/sales": committed,
  });
});

test("put-file -r sends a directory as one tar", async () => {
  await puts("data master/0 x -r -f @/logs", { "POST /repos/data/commits/master%2F0/tar": put });
  assert.deepEqual(await tarBodies(), { "x/b": "bee", "x/deep/a": "" });
  await puts("data master / -c -r -f @/logs/", {
    "POST /repos/data/branches/master/tar": committed,
  });
  assert.deepEqual(await tarBodies(), { b: "bee", "deep/a": "" });
});

test("put-file puts several files below PATH in one request", async () => {
  await writeFile(join(directory, "list"), `${directory}/sales\r\n\n${directory}/logs/b\n`);
  const below = directory.slice(1);
  await puts("data master/0 x -i @/list", { "POST /repos/data/commits/master%2F0/tar": put });
  assert.deepEqual(await tarBodies(), {
    [`x/${below}/sales`]: "apple 4\n",
    [`x/${below}/logs/b`]: "bee",
  });
  await puts("data master -c -f @/sales -f @/logs/b", {
    "POST /repos/data/branches/master/tar": committed,
  });
  assert.deepEqual(Object.keys(await tarBodies()), [`${below}/sales`, `${below}/logs/b`]);
});

test("put-file -c with URLs among several sources cancels its commit when one fails", async () => {
  const handlers: Record<string, Answer> = {
    "POST /repos/data/commits": committed,
    [`${root}${directory}/sales`]: put,
    [`${root}/u`]: {
      status: 400,
      error: { code: "invalid_argument", message: "Cannot fetch http://h/u" },
    },
    "POST /repos/data/commits/master%2F0/cancel": committed,
  };
  const failed = await putFile("data master -c -f @/sales -f http://h/u", handlers);
  assert.deepEqual(failed, { exit: 1, stdout: "", stderr: "Cannot fetch http://h/u\n" });
  assert.equal(server?.received.at(-1)?.path, "/repos/data/commits/master%2F0/cancel");
  const finish = "POST /repos/data/commits/master%2F0/finish";
  await puts("data master -c -f @/sales -f http://h/u", {
    ...handlers,
    [`${root}/u`]: put,
    [finish]: committed,
  });
});

test("put-file leaves nothing out of a directory silently", async () => {
  await symlink(join(directory, "logs"), join(directory, "logs/deep/loop"));
  const loop = await putFile("data master/0 x -r -f @/logs", {});
  assert.equal(
    loop.stderr,
    `Cannot put ${directory}/logs/deep/loop: it is a symbolic link to a directory. Put it by itself, or move it out of the directory\n`,
  );
  await rm(join(directory, "logs/deep/loop"));
  await symlink("nowhere", join(directory, "logs/broken"));
  const broken = await putFile("data master/0 x -r -f @/logs", {});
  assert.equal(broken.stderr, `Cannot read ${directory}/logs/broken: there is no such file\n`);
  assert.equal(broken.exit, 1);
});
