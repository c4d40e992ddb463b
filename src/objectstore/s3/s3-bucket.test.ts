import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { S3Bucket } from "./s3-bucket.ts";

test("read() gives up on a store that sends nothing of what there is", async (t) => {
  let asked = 0;
  const server = createServer((_request, response) => {
    // Ends what would otherwise go on for ever.
    if (++asked > 50) response.writeHead(403).end();
    else
      response
        .writeHead(206, { "content-range": "bytes 0-9/10", "content-length": 0, etag: '"1"' })
        .end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  process.env["AWS_ACCESS_KEY_ID"] = "key";
  process.env["AWS_SECRET_ACCESS_KEY"] = "secret";
  const bucket = new S3Bucket({ bucket: "inputs", endpoint: `http://127.0.0.1:${port}` });
  t.after(() => {
    bucket.close();
    server.close();
  });
  const read = async (): Promise<void> => {
    for await (const part of bucket.read("f", new AbortController().signal))
      assert.equal(part.length, 0);
  };
  await assert.rejects(read(), { code: "unavailable", message: /the store sends something else/ });
});
