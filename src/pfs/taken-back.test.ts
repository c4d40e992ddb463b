// A commit put as a whole that cannot finish is taken back; here others have relied on it meanwhile.
import { strict as assert } from "node:assert";
import { beforeEach, describe, it } from "node:test";
import { openInlineSqliteMetadata, type MetadataStore } from "../metadata/index.ts";
import { localPrincipal } from "../model/principal.ts";
import { putCommit } from "./put-files.ts";
import { listed, never, TestPfs } from "./testing/open-test-pfs.ts";

const r = (id: string): { repo: string; id: string } => ({ repo: "r", id });

describe("a commit that is taken back", () => {
  let pfs: TestPfs;
  /** Called before each call of a procedure. */
  let before: (procedure: string) => Promise<void>;

  beforeEach(async () => {
    before = async () => undefined;
    const metadata = openInlineSqliteMetadata({});
    const call: MetadataStore["call"] = async (procedure, input) => {
      await before(procedure);
      return await metadata.call(procedure, input);
    };
    pfs = new TestPfs(1, { metadata: { call, close: () => metadata.close() } });
    await pfs.repo("r");
    await pfs.put(r(await pfs.start("r")), "first", "1");
  });

  const put = (path: string, waitMs: number): Promise<unknown> =>
    putCommit(pfs.deps, localPrincipal, {
      repo: "r",
      branch: "master",
      files: listed([{ path, overwrite: false, content: Buffer.from("x") }]),
      key: path,
      waitMs,
      signal: never,
    });

  /** Takes master/1 back before the n-th call of a procedure. */
  async function takeBackBefore(procedure: string, n: number): Promise<void> {
    const { uid } = (await pfs.deps.metadata.call("findCommit", r("master/1"))).info;
    let calls = 0;
    before = async (called) => {
      if (called !== procedure || ++calls !== n) return;
      await pfs.deps.metadata.call("discardCommit", { uid, keep: false });
    };
  }

  it("putCommit() follows its parent", async () => {
    await assert.rejects(put("second", 0), { code: "failed_precondition" });
    await takeBackBefore("listRuns", 1);
    await assert.rejects(put("third", 0), { code: "failed_precondition", message: /master\/0/ });
    await pfs.finish(r("master/0"));
    await put("third", 0);
    assert.deepEqual(await pfs.files(r("master")), { first: "1", third: "x" });
  });

  it("putCommit() asks for another try when the same request, sent twice, took it back", async () => {
    await assert.rejects(put("second", 0), { code: "failed_precondition" });
    await takeBackBefore("beginFinish", 1);
    await assert.rejects(put("second", 0), { code: "aborted" });
    await pfs.finish(r("master/0"));
    await put("second", 0);
    assert.deepEqual(await pfs.files(r("master")), { first: "1", second: "x" });
  });

  it("a child that is read shows its parent's parent", async () => {
    await assert.rejects(put("second", 0), { code: "failed_precondition" });
    const child = r(await pfs.start("r"));
    await pfs.put(child, "third", "3");
    await takeBackBefore("commitByUid", 1);
    assert.deepEqual(await pfs.files(child), { first: "1", third: "3" });
  });
});
