// Goal: nobody gets in by accident. A browser page, a name that is not ours or a missing token is refused
// before anything is done; what a person does on purpose works.
import { strict as assert } from "node:assert";
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { openTestDaemon, testFolder, type TestDaemon } from "./testing/daemon.ts";

type Headers = Readonly<Record<string, string>>;

async function send(
  daemon: TestDaemon,
  method: string,
  path: string,
  headers: Headers,
): Promise<{ status: number; body: string }> {
  const [host, port] = daemon.address.split(":");
  return await new Promise((resolve, reject) => {
    const sent = request({ host, port, method, path, headers, agent: false }, (response) => {
      const status = response.statusCode ?? 0;
      text(response).then((body) => resolve({ status, body }), reject);
    });
    sent.once("error", reject);
    sent.end(method === "POST" ? '{"name": "made"}' : undefined);
  });
}

async function repoNames(daemon: TestDaemon, headers: Headers = {}): Promise<string[]> {
  const { body } = await send(daemon, "GET", "/api/v1/repos", headers);
  return (JSON.parse(body) as { repos: { name: string }[] }).repos.map(({ name }) => name);
}

/** Refused as forbidden, in words, on every way in. */
const forbidden: readonly Headers[] = [
  { origin: "http://evil.example" },
  { origin: "https://evil.example", "sec-fetch-site": "cross-site" },
  { origin: "null" },
  { origin: "http://127.0.0.1:1" },
  { "sec-fetch-site": "cross-site" },
  { "sec-fetch-site": "same-site" },
  { host: "evil.example" },
  { host: "evil.example:30650" },
  { host: "127.0.0.1.evil.example" },
  { host: "localhost.evil.example:80" },
  { host: "[::2]" },
];

test("a request from a web page or to a foreign name is refused, and nothing is done", async (t) => {
  const daemon = await openTestDaemon(t);
  for (const headers of forbidden) {
    for (const [method, path] of [
      ["POST", "/api/v1/repos"],
      ["GET", "/api/v1/repos"],
      ["GET", "/"],
      ["GET", "/healthz"],
      ["GET", "/nowhere"],
    ] as const) {
      const { status, body } = await send(daemon, method, path, headers);
      const shown = `${method} ${path} ${JSON.stringify(headers)}: ${body}`;
      assert.equal(status, 403, shown);
      assert.match(body, /"permission_denied".*This request is refused: /, shown);
    }
  }
  assert.deepEqual(await repoNames(daemon), []);
});

test("what a person does on purpose is allowed", async (t) => {
  const daemon = await openTestDaemon(t, ["--allow-host", "Mammoth.example"]);
  const port = daemon.address.split(":")[1];
  const allowed: readonly Headers[] = [
    {},
    { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" },
    { "sec-fetch-site": "same-origin", origin: `http://${daemon.address}` },
    { host: `localhost:${port}`, origin: `http://localhost:${port}` },
    { host: "LOCALHOST" },
    { host: `[::1]:${port}` },
    { host: "mammoth.example" },
    { host: "mammoth.example:443" },
  ];
  for (const headers of allowed) {
    const { status, body } = await send(daemon, "GET", "/api/v1/repos", headers);
    assert.equal(status, 200, `${JSON.stringify(headers)}: ${body}`);
  }
});

test("a request without any Host is refused", async (t) => {
  const daemon = await openTestDaemon(t);
  const [host = "", port] = daemon.address.split(":");
  const socket = connect(Number(port), host);
  socket.end("GET /api/v1/repos HTTP/1.0\r\n\r\n");
  assert.match(await text(socket), /^HTTP\/1\.1 40[03] /);
});

test("a daemon with a token answers nobody without it", async (t) => {
  const folder = testFolder(t);
  const token = "0123456789abcdef";
  const write = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const right = write("right", `${token}\n`);
  // Beyond loopback, as the token allows.
  const daemon = await openTestDaemon(t, ["--address", "0.0.0.0:0", "--token-file", right]);
  const wrong: readonly Headers[] = [
    {},
    { authorization: "" },
    { authorization: token },
    { authorization: `Basic ${token}` },
    { authorization: "Bearer " },
    { authorization: `Bearer ${token}0` },
    { authorization: `Bearer ${token.slice(1)}` },
  ];
  for (const headers of wrong) {
    for (const path of ["/api/v1/repos", "/", "/nowhere"]) {
      const { status, body } = await send(daemon, "POST", path, headers);
      assert.equal(status, 401, `${path} ${JSON.stringify(headers)}: ${body}`);
      assert.doesNotMatch(body, new RegExp(token));
    }
  }
  assert.deepEqual(await repoNames(daemon, { authorization: `Bearer ${token}` }), []);
  const without = await daemon.pachctl(["list-repo"]);
  assert.deepEqual(
    [without.code, without.stderr],
    [
      1,
      'This daemon asks for a token: send it as "Authorization: Bearer ...", or set PACH_TOKEN_FILE for pachctl\n',
    ],
  );
  const PACH_TOKEN_FILE = write("wrong", "fedcba9876543210");
  assert.equal((await daemon.pachctl(["list-repo"], { env: { PACH_TOKEN_FILE } })).code, 1);
  const made = await daemon.pachctl(["create-repo", "data"], { env: { PACH_TOKEN_FILE: right } });
  assert.deepEqual([made.code, made.stderr], [0, ""]);
  assert.doesNotMatch(daemon.log, new RegExp(token));
});
