// Goal: whoever has no gRPC can do all of it over REST. Method: rest-matrix.tsv has a row for each method of each
// generated service; its routes are in the OpenAPI document, and where there is none, the row says why. A method that
// is not built is called: once it is, its row is wrong.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { DescService } from "@bufbuild/protobuf";
import { openTestGrpc } from "../../src/api/grpc/testing/open-test-grpc.ts";
import { CallFailed } from "../../src/api/grpc/testing/grpc-client.ts";
import { ApiDocument } from "../../src/api/http/testing/api-document.ts";
import { readDocument } from "../../src/api/http/testing/read-document.ts";
import { root } from "../../scripts/checkout.ts";

const generated = `${root}/src/api/grpc/gen`;
const unimplemented = 12;

interface Row {
  readonly method: string;
  readonly route: string;
  readonly note: string;
}

const [heading, ...lines] = readFileSync(`${root}/test/compat/rest-matrix.tsv`, "utf8")
  .trimEnd()
  .split("\n");
const rows = lines.map((line): Row => {
  const [method = "", route = "", note = ""] = line.split("\t");
  return { method, route, note };
});

async function services(): Promise<DescService[]> {
  const modules = await Promise.all(
    readdirSync(generated).map(
      async (file) => (await import(`${generated}/${file}`)) as Record<string, unknown>,
    ),
  );
  return modules.flatMap((module) => Object.values(module)).filter(isService);
}

function isService(value: unknown): value is DescService {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "service";
}

/** What 1.2.6 did not have either is refused in its words, with the status of all its errors. */
function isUnimplemented(error: unknown): boolean {
  if (!(error instanceof CallFailed)) return false;
  return error.status === unimplemented || error.message.endsWith("not implemented");
}

test("rest-matrix.tsv has a row for each gRPC method, and no other", async () => {
  const methods = (await services()).flatMap(({ typeName, methods: own }) =>
    own.map(({ name }) => `${typeName}/${name}`),
  );
  assert.ok(methods.length >= 40);
  assert.equal(heading, "method\troute\tnote");
  assert.deepEqual(rows.map(({ method }) => method).sort(), methods.sort());
});

test("every route of rest-matrix.tsv is there; a row without one says why", async () => {
  const known = new ApiDocument((await readDocument()).text).operations();
  for (const { method, route, note } of rows) {
    if (route === "-") assert.notEqual(note, "", method);
    else for (const one of route.split(", ")) assert.ok(known.includes(one), `${method}: ${one}`);
  }
});

test("what rest-matrix.tsv calls unimplemented is, and nothing else", async (t) => {
  const daemon = await openTestGrpc(t);
  for (const service of await services())
    for (const method of service.methods) {
      const name = `${service.typeName}/${method.name}`;
      const isBuilt = await daemon.client.all(method, [{}]).then(
        () => true,
        (error: unknown) => !isUnimplemented(error),
      );
      const { note } = rows.find((row) => row.method === name)!;
      assert.equal(isBuilt, !note.startsWith("unimplemented: "), name);
    }
});
