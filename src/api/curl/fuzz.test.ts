// Goal: whatever is sent to the curl API is answered, and never as a failure of ours. MAMMOTH_FUZZ_RUNS=100000 for the
// long form.
import { strict as assert } from "node:assert";
import { Agent, request } from "node:http";
import { buffer } from "node:stream/consumers";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { silentLog, type Log } from "../../base/log.ts";
import { TestPfs } from "../../pfs/testing/open-test-pfs.ts";
import { openHttpServer, type HttpServer } from "../http/server.ts";

const runs = Number(process.env["MAMMOTH_FUZZ_RUNS"] ?? 250);
const agent = new Agent({ keepAlive: true });
const failures: object[] = [];
const log: Log = { ...silentLog, error: (facts) => failures.push(facts) };
let pfs: TestPfs;
let server: HttpServer;

before(async () => {
  pfs = new TestPfs(1);
  server = await openHttpServer({
    pps: { pfs: pfs.deps, session: "test", slots: 1, runner: "test" },
    log,
    version: "1",
    host: "127.0.0.1",
    port: 0,
    allowedHosts: [],
    openBucket: () => Promise.reject(new Error("no buckets here")),
    token: undefined,
    curlRepo: "data",
  });
});

after(async () => {
  agent.destroy();
  await server.close(AbortSignal.abort());
  await pfs.close();
});

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("a", "b", "ab", "dir", "é", ".a", "x y") },
  {
    weight: 4,
    arbitrary: fc.constantFrom("*", "?", "[a-c]", "[!a]*", "a*", "*b", "**", "[", "[]", "?*?"),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("", ".", "..", "%00", "%FF", "%ZZ", "%2F", "%2e%2e", "\\", "0", "-"),
  },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 12 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 300 }).map((count) => "[a*".repeat(count)) },
);
/** Most is escaped as it should be, some is sent as it is. */
const typed = fc
  .tuple(step, fc.boolean())
  .map(([text, isRaw]) => (isRaw && /^[\x21-\x7e]*$/.test(text) ? text : escaped(text)));
const filePath = fc.array(typed, { minLength: 1, maxLength: 4 }).map((steps) => steps.join("/"));
const place = fc.oneof(
  { weight: 6, arbitrary: filePath.map((path) => `/file/${path}`) },
  { weight: 3, arbitrary: fc.constantFrom("/commit", "/branch", "/ping", "/file", "/file/") },
  { weight: 1, arbitrary: filePath.map((path) => `/job/${path}`) },
  { weight: 1, arbitrary: filePath.map((path) => `/job/a/file/${path}`) },
  { weight: 1, arbitrary: fc.constantFrom("/run", "/run/", "/run/a", "/run/a/log", "/job/a/file") },
  { weight: 1, arbitrary: filePath.map((path) => `/${path}`) },
);
const value = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom("master", "dev", "mas", "master/0", "dev/0", "master/1"),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "",
      "master/",
      "/0",
      "../..",
      "master/99999999999999999",
      "%00",
      "%FF",
    ),
  },
  { weight: 1, arbitrary: typed },
);
const query = fc
  .array(
    fc.tuple(
      fc.constantFrom("branch", "branch", "commit", "commit", "run", "wait", "__proto__", "shard"),
      value,
    ),
    { maxLength: 2 },
  )
  .map((pairs) => (pairs.length === 0 ? "" : `?${pairs.map((pair) => pair.join("=")).join("&")}`));
const number = fc.constantFrom(
  "",
  "0",
  "1",
  "3",
  "99",
  "999999999999999",
  "9999999999999999",
  "-1",
);
const range = fc.oneof(
  fc.tuple(number, number).map(([first, last]) => `bytes=${first}-${last}`),
  fc.constantFrom("bytes=0-1,3-4", "items=0-1", "bytes", "bytes=a-b"),
);
const header = fc.record(
  {
    range,
    "content-type": fc.constantFrom("", "application/text", ";;;", "application/json", "a/b; c"),
    expect: fc.constant("100-continue"),
    "content-encoding": fc.constantFrom("gzip", "nonsense"),
    "if-none-match": fc.constant("*"),
  },
  { requiredKeys: [] },
);
const sent: fc.Arbitrary<Sent> = fc.record({
  method: fc.constantFrom(
    "GET",
    "GET",
    "POST",
    "POST",
    "PUT",
    "DELETE",
    "HEAD",
    "PATCH",
    "OPTIONS",
  ),
  path: fc.tuple(place, query).map((parts) => parts.join("")),
  headers: header,
  body: fc.constantFrom("", "", "x", "line\n", "y".repeat(2_000)),
});

function escaped(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll("%25", "%");
}

async function send({
  method,
  path,
  headers: given,
  body,
}: Sent): Promise<{ status: number; body: string }> {
  const [host, port] = server.address.split(":");
  // Of itself, Node gives a GET no length, and the body would be the next request.
  const headers = body === "" ? given : { ...given, "content-length": String(body.length) };
  return await new Promise((resolve, reject) => {
    const options = {
      host,
      port,
      method,
      path,
      headers,
      agent,
      signal: AbortSignal.timeout(20_000),
    };
    const outgoing = request(options, (incoming) => {
      const status = incoming.statusCode ?? 0;
      buffer(incoming).then((bytes) => resolve({ status, body: bytes.toString() }), reject);
    });
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

test("the curl API answers whatever it is asked, and goes on", async () => {
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(sent, async (one) => {
      const { status, body } = await send(one);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      assert.ok(status < 500 || status === 501, `${status} ${body}`);
      if (status >= 400 && one.method !== "HEAD") assert.ok(body.length > 10, `${status}: ${body}`);
      assert.deepEqual(failures, []);
    }),
    { numRuns: runs },
  );
  assert.ok(
    [200, 400, 404, 405, 409].every((status) => statuses.has(status)),
    [...statuses].join("; "),
  );
  assert.equal(
    (await send({ method: "GET", path: "/ping", headers: {}, body: "" })).body,
    "pong\n",
  );
});

test("what was sent to a path is read from the same path", async () => {
  await fc.assert(
    fc.asyncProperty(filePath, fc.constantFrom("", "some", "x".repeat(30)), async (path, body) => {
      const url = `/file/${path}?branch=same`;
      const { status } = await send({ method: "PUT", path: url, headers: {}, body });
      if (status !== 200) return;
      const read = await send({ method: "GET", path: url, headers: {}, body: "" });
      assert.deepEqual(read, { status: 200, body });
    }),
    { numRuns: Math.ceil(runs / 4) },
  );
});
