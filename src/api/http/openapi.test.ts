// Goal: the OpenAPI document says what the daemon does, no more and no less.
// Method: the routes of the server are compared with the document; a tour through all of them, in each
// way in which they succeed and with refusals, has every request and answer validated against it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, after, test } from "node:test";
import { present } from "../../base/assert.ts";
import { localProof, localProofHeader } from "../../base/local-proof.ts";
import { openLocalFiles } from "../../localfiles/index.ts";
import type { StagePlanner } from "../../pps/index.ts";
import { openTestGrpc, type TestGrpc } from "../grpc/testing/open-test-grpc.ts";
import { isCurlPath } from "../curl/curl-door.ts";
import { isWorkerPath } from "./worker-routes.ts";
import { ApiDocument, type Exchange } from "./testing/api-document.ts";
import { readDocument } from "./testing/read-document.ts";

let daemon: TestGrpc;
let document: ApiDocument;
const endings: (() => Promise<void>)[] = [];

before(async () => {
  const files = openLocalFiles();
  endings.push(() => files.close());
  const local = { files, view: "v", secretFile: "/nowhere", secret: "s" };
  daemon = await openTestGrpc({ after: (work) => endings.push(work) }, { local });
  document = new ApiDocument((await ask("GET", "/api/v1/openapi.json")).received);
});

after(async () => {
  for (const end of endings.reverse()) await end();
});

async function ask(
  method: string,
  url: string,
  { body, headers = {} }: { body?: string | Buffer; headers?: Record<string, string> } = {},
): Promise<Exchange> {
  const init = { method, headers, ...(body === undefined ? {} : { body }) };
  const answer = await fetch(`http://${daemon.address}${url}`, init);
  return {
    method,
    url,
    sent: body?.toString(),
    status: answer.status,
    type: answer.headers.get("content-type"),
    received: await answer.text(),
  };
}

test("openApiOf() has every route of the server, and no other", async () => {
  const { registered } = await readDocument();
  const described = document
    .operations()
    .map((name) => name.replace("{path}", "*").replace(/\{(\w+)\}/g, ":$1"));
  const heads = described
    .filter((name) => name.startsWith("GET "))
    .map((name) => name.replace("GET ", "HEAD "));
  const isRest = (path: string): boolean => !isCurlPath(path) && !isWorkerPath(path);
  const rest = registered.filter((route) => isRest(route.split(" ")[1]!));
  assert.deepEqual([...rest].sort(), [...described, ...heads].sort());
});

/** Paths are below /api/v1; JOB stands for a job's id. */
type Step = readonly [
  method: string,
  path: string,
  status: number,
  body?: unknown,
  headers?: Record<string, string>,
];

const transform = { cmd: ["true"], accept_return_code: [1] };
const spec = {
  pipeline: { name: "copy" },
  transform,
  inputs: [{ repo: { name: "data" }, run_empty: false }],
};
const data = "/repos/data/commits/master%2F0";
const open = "/repos/data/commits/open%2F0";
const events = { accept: "text/event-stream" };
const upload = "/uploads/upload-of-the-walk";
/** Of "hello\n". */
const block = `/blocks/${createHash("sha512").update("hello\n").digest("base64").replaceAll("+", "-").replaceAll("/", "_")}`;
const raw = (text: string): { raw: string | Buffer } => ({ raw: text });

const stepsBeforeJobs: readonly Step[] = [
  ["POST", "/repos", 201, { name: "data" }, { "idempotency-key": "a" }],
  ["POST", "/repos", 409, { name: "data" }],
  ["POST", "/repos", 404, { name: "made", provenance: ["nope"] }],
  ["GET", "/repos", 200],
  ["GET", "/repos?provenance=data&provenance=data", 200],
  ["GET", "/repos/data", 200],
  ["HEAD", "/repos/data", 200],
  ["GET", "/repos/nope", 404],
  ["POST", "/repos/data/commits", 201, { parent: "master" }],
  ["POST", "/repos/nope/commits", 404, { parent: "master" }],
  ["GET", data, 200],
  ["POST", `${data}/files/a/b`, 200, raw("hello\n")],
  ["POST", `${data}/files/a?delimiter=line`, 409, raw("hello\n")],
  ["PUT", `${data}/files/c`, 200, raw("hello\n")],
  ["POST", `${data}/directories/d/e`, 204],
  ["POST", `${data}/rename`, 204, { from: "d", to: "renamed/d" }],
  ["POST", `${data}/rename`, 404, { from: "nope", to: "x" }],
  ["POST", `${data}/rename`, 400, { from: "renamed", to: "renamed/d" }],
  ["POST", `${data}/rename`, 204, { from: "renamed/d", to: "d" }],
  ["DELETE", `${data}/files/d/e`, 204],
  ["POST", `${data}/finish?waitMs=0`, 200],
  ["POST", `${data}/cancel`, 409],
  ["GET", "/repos/data/branches?status=ALL", 200],
  ["GET", "/repos/nope/branches", 404],
  ["GET", `${data}/files/a/b?fileModulus=1`, 200],
  ["GET", `${data}/files/a/b`, 206, undefined, { range: "bytes=1-2" }],
  ["GET", `${data}/files/a/b`, 416, undefined, { range: "bytes=99-" }],
  ["GET", `${data}/files/a`, 409],
  ["GET", `${data}/files/nope`, 404],
  ["HEAD", `${data}/files/a/b`, 200],
  ["GET", `${data}/info/a`, 200],
  ["GET", `${data}/info/a/b`, 200],
  ["GET", `${data}/info/nope`, 404],
  ["GET", `${data}/list/?recurse=true&limit=1`, 200],
  ["GET", `${data}/list/nope`, 404],
  ["GET", `${data}/writes`, 409],
  ["GET", "/repos/data/commits/nope/writes", 404],
  ["GET", `${data}/tar/`, 200],
  ["GET", `${data}/tar/?after=a`, 200],
  ["POST", "/repos/data/branches/side/files/x?overwrite=1", 201, raw("x")],
  ["PUT", "/repos/data/branches/side/files/x", 201, raw("y")],
  ["POST", "/repos/data/branches/side/files/", 400, raw("y")],
  ["GET", "/repos/data/diff/?a=side%2F0&b=side%2F1", 200],
  ["GET", "/repos/data/diff/", 400],
  ["POST", "/repos/data/branches/side/revert", 201, { commit: "side/0" }],
  ["POST", "/repos/data/branches/forked/fork", 201, { parent: "master" }],
  ["POST", "/repos/data/branches/forked/fork", 409, { parent: "master" }],
  ["POST", "/repos/data/commits/forked%2F0/squash", 204, { from: ["side/0"] }],
  ["POST", "/repos/data/branches/replayed/replay", 201, { from: ["master/0"] }],
  ["POST", "/repos/data/commits", 201, { parent: "open" }],
  ["PUT", `${upload}?delimiter=json`, 200],
  ["PUT", upload, 409],
  ["PUT", "/uploads/short", 400],
  ["PUT", `${upload}?repo=data&commit=nope`, 404],
  ["POST", `${upload}/bytes?offset=1`, 409, raw("hello\n")],
  ["GET", `${open}/writes`, 200],
  ["GET", `${open}/writes?after=1`, 200],
  ["POST", `${open}/uploads`, 409, { uploads: [{ id: "upload-of-the-walk", path: "up" }] }],
  ["POST", `${upload}/bytes?last=true`, 200, raw("hello\n")],
  ["GET", upload, 200],
  ["GET", "/uploads?limit=1", 200],
  ["GET", "/local", 200],
  ["POST", `${open}/uploads`, 200, { uploads: [{ id: "upload-of-the-walk", path: "up" }] }],
  ["POST", `${open}/uploads`, 404, { uploads: [{ id: "upload-of-the-walk", path: "up" }] }],
  ["GET", upload, 404],
  ["POST", `${upload}/bytes`, 404, raw("hello\n")],
  ["DELETE", upload, 404],
  ["PUT", upload, 200],
  ["DELETE", upload, 204],
  ["POST", `${open}/cancel`, 200],
  ["POST", `${open}/finish`, 409],
  ["POST", "/archive", 204, { commits: [{ repo: "data", id: "side/0" }] }],
  ["GET", "/commits?include=data/master/0&status=ALL&type=READ&provenance=", 400],
  ["GET", "/commits?include=data&exclude=data/side/0&block=true", 200],
  ["GET", "/commits?include=nope", 404],
  ["POST", "/pipelines", 201, spec],
  ["POST", "/pipelines", 409, spec],
  ["POST", "/pipelines", 400, { ...spec, inputs: [{}] }],
  ["GET", "/pipelines", 200],
  ["GET", "/pipelines/copy", 200],
  ["GET", "/pipelines/nope", 404],
  ["POST", "/blocks?delimiter=line", 201, raw("hello\n")],
  ["POST", "/blocks?delimiter=words", 400, raw("hello\n")],
  ["GET", block, 200],
  ["GET", block, 206, undefined, { range: "bytes=1-2" }],
  ["GET", block, 416, undefined, { range: "bytes=99-" }],
  ["GET", `${block}/info`, 200],
  ["DELETE", block, 204],
  ["GET", block, 404],
  ["GET", `${block}/info`, 404],
  ["DELETE", block, 404],
  ["GET", "/jobs/nope", 404],
  ["GET", "/runs", 200],
  ["GET", "/runs/nope", 404],
  ["GET", "/jobs/nope/logs", 404],
  ["POST", "/flush", 200, { commits: [{ repo: "data", id: "master/0" }], waitMs: 0 }],
  ["POST", "/flush", 404, { commits: [{ repo: "data", id: "nope/0" }] }],
];

/** What is nowhere. */
const stepsIntoNothing: readonly Step[] = [
  ["GET", "/repos/nope/commits/master", 404],
  ["POST", "/repos/nope/commits/master/finish", 404],
  ["POST", "/repos/nope/commits/master/cancel", 404],
  ["POST", "/repos/nope/branches/master/revert", 404, { commit: "master/0" }],
  ["POST", "/repos/nope/branches/master/fork", 404, { parent: "other" }],
  ["POST", "/repos/nope/commits/master%2F0/squash", 404, { from: ["other/0"] }],
  ["POST", "/repos/nope/branches/master/replay", 404, { from: ["other/0"] }],
  ["DELETE", "/repos/nope/commits/master/files/a", 404],
  ["POST", "/repos/nope/commits/master/files/a", 404, raw("a")],
  ["PUT", "/repos/nope/commits/master/files/a", 404, raw("a")],
  ["GET", "/repos/nope/diff/?a=master&b=other", 404],
  ["GET", "/repos/nope/commits/master/tar/", 404],
  ["POST", "/repos/nope/commits/master/directories/a", 404],
  ["POST", "/repos/nope/commits/master/saves/a?bytes=1", 403, raw("")],
  ["POST", "/repos/nope/branches/master/files/a", 404, raw("a")],
  ["PUT", "/repos/nope/branches/master/files/a", 404, raw("a")],
  ["POST", "/repos/nope/commits/master/tar", 404, raw("")],
  ["POST", "/repos/nope/branches/master/tar", 404, raw("")],
  ["POST", "/repos/nope/commits/master/uploads", 404, { uploads: [{ id: "upload-of-the-walk" }] }],
  ["POST", "/repos/nope/branches/b/uploads", 404, { uploads: [{ id: "upload-of-the-walk" }] }],
  ["POST", "/pipelines", 404, { ...spec, pipeline: { name: "p" }, inputs: [{ repo: "nope" }] }],
  ["GET", "/jobs?inputCommit=nope/master/0", 404],
  ["PUT", "/pipelines/nope", 404, { ...spec, pipeline: { name: "nope" } }],
  ["PUT", "/pipelines/copy", 400, { ...spec, pipeline: { name: "other" } }],
  ["POST", "/pipelines/nope/start", 404],
  ["POST", "/pipelines/nope/stop", 404],
  ["POST", "/jobs", 404, { transform, inputs: [{ commit: "nope/master/0" }] }],
  ["POST", "/jobs", 400, { inputs: [{ commit: "data/master/0" }] }],
  ["POST", "/jobs/nope/stop", 404],
  ["POST", "/jobs/nope/restart", 404],
  ["DELETE", "/jobs/nope", 404],
];

const stepsWithJobs: readonly Step[] = [
  ["GET", "/jobs", 200],
  ["GET", "/jobs?pipeline=copy&inputCommit=data/master/0", 200],
  ["GET", "/jobs/JOB?waitMs=0", 200],
  ["GET", "/jobs/JOB/logs?follow=true", 200],
  ["GET", "/jobs/JOB/logs?raw=true&task=0&attempt=1&since=1h", 200],
  ["GET", "/workers", 200],
  ["GET", "/jobs/JOB", 200, undefined, events],
  ["GET", "/jobs/JOB/logs", 200, undefined, events],
  ["GET", "/jobs/nope/logs", 404, undefined, events],
  ["POST", "/flush", 200, { commits: [{ repo: "data", id: "master/0" }] }, events],
  ["GET", "/pipelines/copy", 200],
  ["PUT", "/pipelines/copy?archive=false", 200, { ...spec, pipeline: undefined }],
  ["POST", "/pipelines/copy/stop", 200],
  ["POST", "/pipelines/copy/start", 200],
  ["POST", "/jobs/JOB/stop", 409],
  ["POST", "/jobs/JOB/restart?failedOnly=true", 409],
  ["GET", "/commits?include=copy", 200],
  ["POST", "/flush", 200, { commits: [{ repo: "data", id: "master/0" }] }],
  ["POST", "/archive-all", 204],
  ["POST", "/garbage-collect?dryRun=true", 200],
  ["GET", "/repos/data/storage", 200],
  ["GET", "/repos/nope/storage", 404],
  ["GET", "/repos/data/storage/commits", 200],
  ["GET", "/repos/nope/storage/commits", 404],
  ["GET", "/repos/data/commits/master%2F0/storage", 200],
  ["GET", "/repos/data/commits/nope/storage", 404],
  ["GET", "/extract?repo=data", 200],
  ["GET", "/extract?repo=nope", 404],
  ["POST", "/restore", 400],
  ["POST", "/fsck?readData=true", 200],
  ["DELETE", "/repos/data", 409],
  ["DELETE", "/pipelines/copy", 204],
  ["DELETE", "/pipelines/copy", 404],
  ["DELETE", "/repos/data?force=true", 204],
  ["DELETE", "/repos/nope", 204],
  ["POST", "/delete-all?only=pipelines", 204],
  ["POST", "/delete-all", 204],
  ["GET", "/version", 200],
  ["GET", "/openapi.json", 200],
];

/** Its task copies what it is shown, which has the name of a result. */
const stepsToMapReduceJob: readonly Step[] = [
  ["POST", "/repos", 201, { name: "parts" }],
  ["PUT", "/repos/parts/branches/master/files/part-00000", 201, raw("a\t1\n")],
  [
    "POST",
    "/mapreduce-jobs",
    201,
    {
      apiVersion: "turbobytes.com/v1beta1",
      kind: "MapReduceJob",
      metadata: { name: "words" },
      spec: {
        image: "words",
        inputs: ["pfs://parts/master/0/part-00000"],
        partitions: 0,
        template: { spec: { containers: [{ command: ["cat"] }] } },
      },
    },
  ],
  ["POST", "/mapreduce-jobs", 400, { kind: "Job" }],
];

const stepsWithMapReduceJob: readonly Step[] = [
  ["GET", "/mapreduce-jobs", 200],
  ["GET", "/mapreduce-jobs/words?waitMs=0", 200],
  ["GET", "/mapreduce-jobs/nope", 404],
  ["GET", "/mapreduce-jobs/words/results", 200],
  ["GET", "/mapreduce-jobs/nope/results", 404],
  ["GET", "/mapreduce-jobs/words/results/0", 200],
  ["GET", "/mapreduce-jobs/words/results/0", 206, undefined, { range: "bytes=0-1" }],
  ["GET", "/mapreduce-jobs/words/results/0", 416, undefined, { range: "bytes=9-" }],
  ["GET", "/mapreduce-jobs/words/results/7", 404],
  ["DELETE", "/mapreduce-jobs/words", 204],
  ["DELETE", "/mapreduce-jobs/words", 404],
];

/** JOB has not begun yet. */
const stepsOfOneJob: readonly Step[] = [
  ["POST", "/jobs/JOB/stop", 200],
  ["POST", "/jobs/JOB/restart?failedOnly=true", 200],
  ["DELETE", "/jobs/JOB", 204],
];

test("every route takes what the document allows, refuses what it does not, and answers as it says", async () => {
  const seen = new Set<string>();
  const check = (exchange: Exchange): void => {
    const { method, url, status, received } = exchange;
    const what = `${method} ${url} ${status} ${received}`;
    const operation = document.operationOf(method, url);
    assert.ok(operation !== undefined, what);
    seen.add(`${operation} ${status}`);
    assert.deepEqual(document.answerFaults(exchange), [], what);
    // What the shape of a request is wrong in is 400, whatever else may be wrong.
    const faults = document.requestFaults(exchange);
    if (faults.length > 0) assert.equal(status, 400, `${what}: ${faults.join("; ")}`);
  };
  const walk = async (steps: readonly Step[]): Promise<void> => {
    for (const [method, path, status, body, headers] of steps) {
      const isRaw = typeof body === "object" && body !== null && "raw" in body;
      const sent = isRaw ? String(body.raw) : JSON.stringify(body);
      const url = `/api/v1${path.replace("JOB", job)}`;
      const exchange = await ask(method, url, {
        ...(body === undefined ? {} : { body: sent }),
        ...(headers === undefined ? {} : { headers }),
      });
      assert.equal(exchange.status, status, `${method} ${url}: ${exchange.received}`);
      check(exchange);
    }
  };
  let job = "";
  await walk(stepsBeforeJobs);
  const tar = (await askBytes(`/api/v1${data}/tar/a`)) as Buffer<ArrayBuffer>;
  for (const [path, status, method = "POST"] of [
    ["/repos/data/branches/tarred/tar?path=in", 201],
    ["/repos/data/commits/open%2F1/tar", 200],
    ["/uploads/upload-of-one-tar/tar?repo=nope&branch=b", 404, "PUT"],
    ["/uploads/upload-of-one-tar/tar", 200, "PUT"],
  ] as const) {
    if (path.includes("open"))
      await walk([["POST", "/repos/data/commits", 201, { parent: "open" }]]);
    const exchange = await ask(method, `/api/v1${path}`, { body: tar });
    assert.equal(exchange.status, status, exchange.received);
    check({ ...exchange, sent: undefined });
  }
  for (const [path, status] of [
    [`${data}/saves/a/b?bytes=3`, 200],
    [`${data}/saves/nope?bytes=3`, 404],
    [`${data}/saves/a?bytes=3`, 409],
  ] as const)
    check(await save(path, status));
  await walk([
    ["POST", "/repos/data/branches/tarred/tar", 400, raw("this is no tar")],
    [
      "POST",
      "/repos/data/branches/tarred/uploads",
      201,
      { uploads: [{ id: "upload-of-one-tar" }] },
    ],
  ]);
  await daemon.pps.settle();
  job = (await daemon.pps.jobs("copy"))[0]!.id;
  await walk(stepsIntoNothing);
  check(await ask("GET", `/api/v1/runs/${await madeRun()}?waitMs=0`));
  await walk(stepsToMapReduceJob);
  await daemon.pps.settle();
  await walk(stepsWithMapReduceJob);
  const byHand = { transform, inputs: [{ commit: "data/master/0" }] };
  const made = await ask("POST", "/api/v1/jobs", { body: JSON.stringify(byHand) });
  assert.equal(made.status, 201, made.received);
  check(made);
  const ran = job;
  job = (JSON.parse(made.received) as { id: string }).id;
  await walk(stepsOfOneJob);
  job = ran;
  const stream = (await askBytes("/api/v1/extract")) as Buffer<ArrayBuffer>;
  await walk(stepsWithJobs);
  const restored = await ask("POST", "/api/v1/restore", { body: stream });
  assert.equal(restored.status, 200, restored.received);
  check({ ...restored, sent: undefined });
  check(await ask("GET", "/"));
  check(await ask("GET", "/healthz"));
  // A parameter that nobody knows is refused by all, before anything else happens.
  for (const operation of document.operations()) {
    const [method = "", path = ""] = operation.split(" ");
    const url = path.replace(/\{(\w+)\}/g, "$1");
    const exchange = await ask(method, `${url}?nope=1`);
    assert.equal(exchange.status, 400, `${operation}: ${exchange.received}`);
    assert.match(exchange.received, /query: unknown field \\"nope\\"/);
    check(exchange);
  }
  const declared = document.operations().flatMap((name) => {
    const [method = "", path = ""] = name.split(" ");
    const { responses } = document.paths[path]![method.toLowerCase()]!;
    return Object.keys(responses)
      .filter((status) => /^2|404|416/.test(status))
      .map((status) => `${name} ${status}`);
  });
  assert.deepEqual(
    declared.filter((way) => !seen.has(way)),
    [],
  );
  assert.deepEqual(daemon.errors, []);
});

/** Has a range of a file written into one of this machine. */
async function save(path: string, status: number): Promise<Exchange> {
  const folder = mkdtempSync(join(tmpdir(), "openapi-"));
  const local = join(folder, "saved");
  const mark = "m".repeat(64);
  writeFileSync(local, mark);
  const [address, port] = daemon.address.split(":");
  const proof = localProof("s", { address, port: Number(port) });
  const headers = {
    "content-type": "application/vnd.mammoth.names",
    [localProofHeader]: proof,
  };
  const body = `${JSON.stringify([mark, local])}\n`;
  const exchange = await ask("POST", `/api/v1${path}`, { body, headers });
  assert.equal(exchange.status, status, exchange.received);
  const saved = readFileSync(local, "utf8");
  rmSync(folder, { recursive: true });
  assert.equal(saved, status === 200 ? `hel${mark.slice(3)}` : mark);
  return { ...exchange, sent: undefined };
}

async function askBytes(url: string): Promise<Buffer> {
  return Buffer.from(await (await fetch(`http://${daemon.address}${url}`)).arrayBuffer());
}

test("the examples of the document are valid", async () => {
  const { received } = await ask("GET", "/api/v1/openapi.json");
  const parsed = JSON.parse(received) as {
    components: { schemas: Record<string, { examples?: unknown[] }> };
  };
  const shown = Object.entries(parsed.components.schemas).filter(([, { examples }]) => examples);
  assert.ok(shown.length > 5);
  for (const [name, { examples = [] }] of shown)
    for (const example of examples)
      assert.deepEqual(document.faults(`/components/schemas/${name}`, example), [], name);
});

/** Has a run made, of mappers that have nothing to read; its id. */
const tasksOf = ({ info }: Parameters<StagePlanner["next"]>[0]): number =>
  info.transform.mapReduce?.items?.length ?? 0;

async function madeRun(): Promise<string> {
  const stages: StagePlanner = {
    next: async (of) =>
      await Promise.resolve(
        of.stages.length === 0 ? { name: "map", tasks: tasksOf(of) } : undefined,
      ),
    assign: async ({ info: { transform }, inputs }) => {
      const spec = present(transform.mapReduce, "the MapReduce");
      const views = inputs.map(({ repo, uid }) => ({ name: repo, view: { uid } }));
      const work = { kind: "map", spec, split: { parts: [] } } as const;
      return await Promise.resolve({ work, inputs: views });
    },
  };
  Object.assign(daemon.pps.deps, { stages });
  const mapper = { mapper: "cat", partitions: 0 };
  const spec = {
    transform: { mapReduce: mapper },
    inputs: [{ commit: "data/master/0" }],
    output: "mapped",
  };
  const { received } = await ask("POST", "/api/v1/jobs", { body: JSON.stringify(spec) });
  await daemon.pps.settle();
  return (JSON.parse(received) as { id: string }).id;
}
