import { strict as assert } from "node:assert";
import { test } from "node:test";
import { localPrincipal } from "../model/principal.ts";
import { putFiles } from "./put-files.ts";
import { never, openTestPfs } from "./testing/open-test-pfs.ts";
import { Uploads } from "./uploads.ts";

test("what takes no writes is refused before a byte is read, with what to type", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("data");
  const uploads = new Uploads(pfs.deps);
  await pfs.commit("data", {}, { branch: "done" });
  const unread = async function* (): AsyncGenerator<never> {
    yield await Promise.reject<never>(new Error("it was read"));
  };
  for (const [id, message] of [
    [
      "master",
      /nothing to write to\nStart one with "pachctl start-commit data master", or put with -c/,
    ],
    ["done", /has already finished.*\nStart a new one with "pachctl start-commit data done", or/],
    ["done/7", /not found in repo data: "pachctl list-commit data"/],
  ] as const) {
    const target = { repo: "data", id };
    const upload = { id: "an-upload-of-sixteen", target };
    for (const ask of [
      () => putFiles(pfs.deps, localPrincipal, { commit: target, files: unread(), signal: never }),
      () => uploads.begin(localPrincipal, { ...upload, format: "line" }),
      () => uploads.putFiles(localPrincipal, { ...upload, files: unread(), signal: never }),
    ])
      await assert.rejects(ask(), { message });
  }
  const nowhere = { id: "an-upload-of-sixteen", target: { repo: "nope", branch: "master" } };
  await assert.rejects(uploads.begin(localPrincipal, { ...nowhere, format: "line" }), {
    code: "not_found",
  });
  assert.deepEqual((await uploads.list(localPrincipal, { limit: 10 })).uploads, []);
});
