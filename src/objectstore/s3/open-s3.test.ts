import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CodedError, isCoded } from "../../base/errors.ts";
import { objectStoreConformance } from "../testing/conformance.ts";
import { hasS3Server, S3Server, s3Keys } from "../testing/s3-server.ts";
import { openS3ObjectStore } from "./open-s3.ts";

const skip = hasS3Server() ? false : "no S3 server is installed";

describe("S3", { skip }, () => {
  let server: S3Server;
  before(async () => {
    Object.assign(process.env, s3Keys);
    server = await S3Server.open();
  });
  after(async () => {
    await server.close();
  });
  let buckets = 0;
  const newBucket = async (): Promise<string> => {
    const bucket = `bucket-${++buckets}`;
    await server.newBucket(bucket);
    return bucket;
  };

  objectStoreConformance("s3", async () =>
    openS3ObjectStore({
      bucket: await newBucket(),
      prefix: "a/prefix/",
      endpoint: server.endpoint,
    }),
  );

  it("says what is wrong with a bucket, a key or an address", async () => {
    const { endpoint } = server;
    const codeOf = async (options: Parameters<typeof openS3ObjectStore>[0]): Promise<string> => {
      const store = openS3ObjectStore(options);
      const error: unknown = await store.stat("a", {}).catch((thrown: unknown) => thrown);
      await store.close();
      assert.ok(error instanceof CodedError);
      assert.doesNotMatch(error.message, /secret/);
      return error.code;
    };
    const bucket = await newBucket();
    assert.equal(await codeOf({ bucket, prefix: "", endpoint }), "not_found");
    assert.equal(
      await codeOf({ bucket, prefix: "", endpoint: "http://127.0.0.1:1" }),
      "unavailable",
    );
    process.env["AWS_SECRET_ACCESS_KEY"] = "another";
    assert.equal(await codeOf({ bucket, prefix: "", endpoint }), "permission_denied");
    Object.assign(process.env, s3Keys);
    const nowhere = openS3ObjectStore({ bucket: "nowhere", prefix: "", endpoint });
    const writer = await nowhere.create("a", {});
    await writer.write([Buffer.from("a")]);
    await assert.rejects(
      writer.seal(),
      (thrown) => isCoded(thrown, "failed_precondition") && /no such bucket/.test(thrown.message),
    );
    await nowhere.close();
  });
});
