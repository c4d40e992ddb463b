import { strict as assert } from "node:assert";
import { test } from "node:test";
import type { MetadataStore } from "../metadata/index.ts";
import { commitNames } from "./commit-names.ts";
import { openTestPfs } from "./testing/open-test-pfs.ts";

test("commitNames() asks once for what is there, and again for what is not", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  const id = await pfs.start("r");
  const { metadata } = pfs.deps;
  const { uid } = (await metadata.call("findCommit", { repo: "r", id })).info;
  const asked: unknown[] = [];
  const counting: MetadataStore = {
    call: async (name, input) => {
      asked.push(input);
      return await metadata.call(name, input);
    },
    close: async () => await metadata.close(),
  };
  const gone = "00".repeat(16);
  const expected = new Map([[uid, { repo: "r", id }]]);
  assert.deepEqual(await commitNames(counting, [uid]), expected);
  assert.deepEqual(await commitNames(counting, [uid]), expected);
  assert.deepEqual(asked, [{ uids: [uid] }]);
  assert.deepEqual(await commitNames(counting, [uid, gone]), expected);
  assert.deepEqual(await commitNames(counting, [gone]), new Map());
  assert.deepEqual(asked.slice(1), [{ uids: [gone] }, { uids: [gone] }]);
});
