// Goal: whatever comes over a connection, the daemon lives, answers, and never fails for a reason of its own.
// Method: random bytes, frames and messages against one server; MAMMOTH_FUZZ_INPUTS of each kind (default 150).
import { strict as assert } from "node:assert";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { create, toBinary, type DescMethod, type DescMessage } from "@bufbuild/protobuf";
import fc from "fast-check";
import { Health } from "./gen/health_pb.ts";
import { API as Pfs, BlockAPI } from "./gen/pfs_pb.ts";
import { API as Pps } from "./gen/pps_pb.ts";
import { API as Version } from "./gen/protoversion_pb.ts";
import { anyMessage } from "./testing/any-message.ts";
import { framed, type Answer } from "./testing/grpc-client.ts";
import { openTestGrpc, type TestGrpc } from "./testing/open-test-grpc.ts";
import { callHeaders, http2Frame, rawConnection } from "./testing/raw-http2.ts";

const numRuns = Number(process.env["MAMMOTH_FUZZ_INPUTS"] ?? 150);
const methods: readonly DescMethod[] = [Pfs, BlockAPI, Pps, Version, Health].flatMap(
  (service) => service.methods as readonly DescMethod[],
);
/** Calls that wait for something end so. */
const headers = { "grpc-timeout": "30m" };
/** OK, UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED. */
const expected = [0, 2, 4, 12];

let daemon: TestGrpc;
const cleanups: (() => Promise<void>)[] = [];

before(async () => {
  daemon = await openTestGrpc({ after: (work) => cleanups.unshift(work) });
  await daemon.pfs.repo("r");
  await daemon.pfs.commit("r", { f: "1\n", "d/f": "2\n" });
  await daemon.pfs.start("r");
  await daemon.pps.pipeline("p", { r: "map" });
});

after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

async function requireHealth(): Promise<void> {
  assert.deepEqual(daemon.errors, []);
  await daemon.client.one(Health.method.health, {});
}

function requireExpected(answer: Answer, what: string): void {
  const text = decodeURIComponent(answer.rawMessage);
  assert.ok(expected.includes(answer.status), `${what}: ${answer.status} ${text}`);
  assert.ok(answer.status === 0 || text !== "", `${what}: ${answer.status} without a text`);
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** What `DeleteAll` and its like would take away, the next inputs need. */
const sparing = methods.filter(({ name }) => !/^Delete(?:All|Repo|Pipeline)$/.test(name));

async function call(
  method: DescMethod,
  requests: readonly Record<string, unknown>[],
): Promise<void> {
  const bytes = requests.map((request) => framed(binaryOf(method.input, request)));
  const answer = await daemon.client.bytes(pathOf(method), bytes, { headers });
  requireExpected(answer, pathOf(method));
  assert.deepEqual(daemon.errors, []);
}

function binaryOf(schema: DescMessage, request: Record<string, unknown>): Uint8Array {
  return toBinary(schema, create(schema, request));
}

describe("fuzzing", () => {
  it("messages of every method", async () => {
    for (const method of sparing) {
      const isStream = method.methodKind === "client_streaming";
      const requests = fc.array(anyMessage(method.input), {
        minLength: isStream ? 0 : 1,
        maxLength: isStream ? 4 : 1,
      });
      const perMethod = { numRuns: Math.ceil(numRuns / 10) };
      await fc.assert(
        fc.asyncProperty(requests, async (sent) => {
          await call(method, sent);
        }),
        perMethod,
      );
    }
    await requireHealth();
  });

  it("bytes in place of messages", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...sparing),
        fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 3 }),
        fc.boolean(),
        async (method, parts, isFramed) => {
          const sent = parts.map((part) => (isFramed ? framed(part) : Buffer.from(part)));
          const answer = await daemon.client.bytes(pathOf(method), sent, { headers });
          requireExpected(answer, pathOf(method));
        },
      ),
      { numRuns },
    );
    await requireHealth();
  });

  it("frames of HTTP/2 in any order", async () => {
    const frame = fc
      .record({
        type: fc.nat({ max: 10 }),
        flags: fc.constantFrom(0, 1, 4, 5, 8, 32, 255),
        stream: fc.constantFrom(0, 1, 1, 1, 2, 3, 2 ** 31 - 1),
        payload: fc.uint8Array({ maxLength: 40 }),
      })
      .map(({ type, payload, ...head }) => http2Frame(type, payload, head));
    const frames = fc.array(frame, { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(frames, fc.constantFrom(...sparing), async (sent, method) => {
        const socket = await rawConnection(daemon.address);
        socket.write(Buffer.concat([callHeaders(pathOf(method)), ...sent]));
        socket.end();
        await once(socket, "close");
      }),
      { numRuns },
    );
    await requireHealth();
  });

  it("bytes of any kind", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (bytes) => {
        const socket = await rawConnection(daemon.address);
        socket.write(bytes);
        socket.end();
        await once(socket, "close");
      }),
      { numRuns },
    );
    await requireHealth();
  });
});
