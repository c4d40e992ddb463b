import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CodedError } from "../../base/errors.ts";
import { unpackTar, type Body, type Client } from "../../client/index.ts";
import type { DraftPart } from "./draft-part.ts";
import { Sender } from "./sender.ts";
import { openTestRemote } from "./testing/test-remote.ts";

const commit = { repo: "data", id: "master/0" };

/** A daemon that answers when it is told to; `refused` are paths it does not take. */
function openWorld(refused: ReadonlySet<string> = new Set()) {
  const files = new Map<string, string>();
  const requests: string[][] = [];
  const gate = Promise.withResolvers<void>();
  const take = async (puts: readonly (readonly [string, string])[]): Promise<void> => {
    requests.push(puts.map(([path]) => path));
    await gate.promise;
    for (const [path] of puts)
      if (refused.has(path)) throw new CodedError("failed_precondition", `no ${path}`);
    for (const [path, text] of puts) files.set(path, (files.get(path) ?? "") + text);
  };
  const put = async (_: unknown, path: string, body: Body): Promise<void> => {
    await take([[path, Buffer.from(body as Uint8Array).toString()]]);
  };
  const putTar = async (_: unknown, prefix: string, tar: Body): Promise<void> => {
    assert.equal(prefix, "");
    const puts: [string, string][] = [];
    for await (const { path, content } of unpackTar(pieces(tar as Uint8Array)))
      puts.push([path, await textOf(content)]);
    await take(puts);
  };
  const client = { files: { put, putTar } } as unknown as Client;
  return { files, requests, gate, sender: new Sender({ client, remote: openTestRemote() }) };
}

// eslint-disable-next-line typescript/require-await -- it is asked as one that waits
async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}

async function textOf(content: AsyncIterable<Uint8Array>): Promise<string> {
  const slices: Uint8Array[] = [];
  for await (const slice of content) slices.push(slice);
  return Buffer.concat(slices).toString();
}

function part(text: string, isWhole = true): DraftPart {
  const sizeBytes = Buffer.byteLength(text);
  return {
    sizeBytes,
    isWhole,
    overwrite: false,
    key: text,
    bytes: () => pieces(Buffer.from(text)),
  };
}

describe("Sender", () => {
  it("Sender.send() sends small files together that come while others are on their way", async () => {
    const { sender, files, requests, gate } = openWorld();
    const names = Array.from({ length: 300 }, (_, index) => `größe ${index}/${"n".repeat(index)}`);
    const sent = names.map((name) => sender.send(commit, name, part(name)));
    gate.resolve();
    await Promise.all(sent);
    assert.ok(requests.length <= 4, `${requests.length} requests`);
    assert.deepEqual([...files.keys()].toSorted(), names.toSorted());
    for (const name of names) assert.equal(files.get(name), name);
  });

  it("Sender.send() fails for the one that is refused, and for no other of its group", async () => {
    const { sender, files, gate } = openWorld(new Set(["3"]));
    const sent = Array.from({ length: 6 }, (_, index) => {
      const name = String(index);
      return sender.send(commit, name, part(name)).then(
        () => "sent",
        () => "refused",
      );
    });
    gate.resolve();
    assert.deepEqual(await Promise.all(sent), ["sent", "sent", "sent", "refused", "sent", "sent"]);
    assert.deepEqual([...files.keys()].toSorted(), ["0", "1", "2", "4", "5"]);
  });

  it("Sender.send() sends what follows on something by itself", async () => {
    const { sender, requests, gate } = openWorld();
    const sent = ["a", "b", "c", "d"].map((name) => sender.send(commit, name, part(name, false)));
    gate.resolve();
    await Promise.all(sent);
    assert.deepEqual(requests, [["a"], ["b"], ["c"], ["d"]]);
  });
});
