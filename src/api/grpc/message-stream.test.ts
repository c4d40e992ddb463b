import { strict as assert } from "node:assert";
import { PassThrough, Readable } from "node:stream";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isCoded } from "../../base/errors.ts";
import { readMessages } from "./message-stream.ts";
import { framed } from "./testing/grpc-client.ts";

async function messagesOf(parts: readonly Uint8Array[]): Promise<Buffer[]> {
  const stream = Readable.from(parts, { objectMode: false });
  const messages: Buffer[] = [];
  for await (const message of readMessages(stream)) messages.push(message);
  return messages;
}

describe("readMessages()", () => {
  it("gives back messages wherever the stream is cut", async () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
    const cuts = fc.array(fc.nat({ max: 20 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(messages, cuts, async (sent, lengths) => {
        const bytes = Buffer.concat(sent.map(framed));
        const parts: Buffer[] = [];
        let at = 0;
        for (const length of lengths) parts.push(bytes.subarray(at, (at += length)));
        parts.push(bytes.subarray(at));
        const got = await messagesOf(parts.filter((part) => part.length > 0));
        assert.deepEqual(
          got.map((message) => [...message]),
          sent.map((message) => [...message]),
        );
      }),
    );
  });

  it("gives back empty messages, also as the last ones", async () => {
    const got = await messagesOf([framed(Buffer.alloc(0)), framed(Buffer.alloc(0))]);
    assert.deepEqual(
      got.map((message) => message.length),
      [0, 0],
    );
  });

  it("refuses a message that says it is compressed", async () => {
    await assert.rejects(messagesOf([Buffer.from([1, 0, 0, 0, 0])]), (error) =>
      isCoded(error, "unimplemented"),
    );
  });

  it("refuses a length that no buffer can have, before any of it has come", async () => {
    await assert.rejects(messagesOf([Buffer.from([0, 0xff, 0xff, 0xff, 0xff])]), (error) =>
      isCoded(error, "resource_exhausted"),
    );
  });

  for (const [what, bytes] of [
    ["a prefix", [0, 0, 0]],
    ["a message", [0, 0, 0, 0, 2, 7]],
    ["a message of which nothing has come", [0, 0, 0, 0, 2]],
  ] as const) {
    it(`refuses a stream that ends in ${what}`, async () => {
      await assert.rejects(messagesOf([Buffer.from(bytes)]), (error) =>
        isCoded(error, "invalid_argument"),
      );
    });
  }

  it("leaves the stream usable when its reader stops", async () => {
    const stream = new PassThrough();
    stream.write(framed(Buffer.from("one")));
    for await (const message of readMessages(stream)) {
      assert.equal(message.toString(), "one");
      break;
    }
    assert.equal(stream.destroyed, false);
  });
});
