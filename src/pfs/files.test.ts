import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import type { CommitName } from "../model/commit.ts";
import { localPrincipal } from "../model/principal.ts";
import { inspectFile, listFiles } from "./files.ts";
import { sinceTree } from "./since.ts";
import { openTestPfs, type Files, type TestPfs } from "./testing/open-test-pfs.ts";

const r = (id: string): CommitName => ({ repo: "r", id });
const head = r("master");

async function withRepo(t: Parameters<typeof openTestPfs>[0]): Promise<TestPfs> {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  return pfs;
}

/** What one step of a test does to the open commit; `next` finishes it and starts another. */
type Step =
  | readonly ["put" | "overwrite", string, string]
  | readonly ["delete", string]
  | readonly ["next"];

async function play(pfs: TestPfs, steps: readonly Step[]): Promise<void> {
  await pfs.start("r");
  for (const step of steps) {
    if (step[0] === "next") {
      await pfs.finish(head);
      await pfs.start("r");
    } else if (step[0] === "delete") await pfs.delete(head, step[1]);
    else await pfs.put(head, step[1], step[2], step[0] === "overwrite");
  }
}

const cases: readonly (readonly [string, readonly Step[], Files])[] = [
  [
    "appends across puts",
    [
      ["put", "f", "a\n"],
      ["put", "f", "b\n"],
    ],
    { f: "a\nb\n" },
  ],
  ["appends across commits", [["put", "f", "a"], ["next"], ["put", "f", "b"]], { f: "ab" }],
  [
    "overwrites within a commit",
    [
      ["put", "f", "a"],
      ["overwrite", "f", "b"],
    ],
    { f: "b" },
  ],
  ["overwrites across commits", [["put", "f", "a"], ["next"], ["overwrite", "f", "b"]], { f: "b" }],
  [
    "appends to what was overwritten",
    [["put", "f", "a"], ["next"], ["overwrite", "f", "b"], ["put", "f", "c"]],
    { f: "bc" },
  ],
  ["overwrites what is not there", [["overwrite", "f", "b"]], { f: "b" }],
  [
    "puts after a delete",
    [
      ["put", "f", "a"],
      ["delete", "f"],
      ["put", "f", "b"],
    ],
    { f: "b" },
  ],
  [
    "puts after a delete of what the parent had",
    [["put", "f", "a"], ["next"], ["delete", "f"], ["put", "f", "b"]],
    { f: "b" },
  ],
  [
    "deletes after a put",
    [
      ["put", "f", "a"],
      ["delete", "f"],
    ],
    {},
  ],
  [
    "deletes a directory with all below",
    [["put", "d/e/f", "a"], ["put", "d.x", "b"], ["next"], ["delete", "d"]],
    { "d.x": "b" },
  ],
  [
    "keeps the directory of a deleted file",
    [["put", "d/f", "a"], ["next"], ["delete", "d/f"]],
    { d: null },
  ],
  [
    "puts a file where a directory was deleted",
    [
      ["put", "d/f", "a"],
      ["delete", "d"],
      ["put", "d", "b"],
    ],
    { d: "b" },
  ],
  [
    "puts a file where a directory of the parent was deleted",
    [["put", "d/f", "a"], ["next"], ["delete", "d"], ["put", "d", "b"]],
    { d: "b" },
  ],
  [
    "puts a directory where a file was deleted",
    [["put", "d", "a"], ["next"], ["delete", "d"], ["put", "d/f", "b"]],
    { d: null, "d/f": "b" },
  ],
  [
    "puts below a deleted directory only what is new",
    [["put", "d/f", "a"], ["put", "d/g", "a"], ["next"], ["delete", "d"], ["put", "d/f", "b"]],
    { d: null, "d/f": "b" },
  ],
  [
    "deletes what is not there",
    [
      ["delete", "no"],
      ["delete", "no/no"],
    ],
    {},
  ],
  ["deletes everything", [["put", "a", "a"], ["put", "d/f", "b"], ["next"], ["delete", "/"]], {}],
  [
    "deletes everything, then puts",
    [["put", "a", "a"], ["next"], ["delete", ""], ["put", "b", "b"]],
    { b: "b" },
  ],
  ["keeps an empty file", [["put", "f", ""]], { f: "" }],
  [
    "keeps content when nothing is appended",
    [["put", "f", "a"], ["next"], ["put", "f", ""]],
    { f: "a" },
  ],
  ["empties by overwriting", [["put", "f", "a"], ["next"], ["overwrite", "f", ""]], { f: "" }],
  [
    "tidies paths",
    [
      ["put", "./a", "1"],
      ["put", "/a", "2"],
      ["put", "d//b/", "3"],
      ["put", "x/../d/b", "4"],
    ],
    { a: "12", d: null, "d/b": "34" },
  ],
  [
    "keeps directories before what sorts between",
    [
      ["put", "a.b", "1"],
      ["put", "a/b", "2"],
    ],
    { a: null, "a/b": "2", "a.b": "1" },
  ],
  [
    "keeps odd names",
    [
      ["put", "é ü\n", "1"],
      ["put", "日本/\u{1f34e}", "2"],
      ["put", "...", "3"],
    ],
    { "...": "3", "é ü\n": "1", 日本: null, "日本/\u{1f34e}": "2" },
  ],
];

describe("files of a commit", () => {
  for (const [what, steps, expected] of cases) {
    it(`a commit ${what}, seen open, finished and from its child`, async (t) => {
      const pfs = await withRepo(t);
      await play(pfs, steps);
      assert.deepEqual(await pfs.files(head), expected);
      await pfs.finish(head);
      assert.deepEqual(await pfs.files(head), expected);
      await pfs.start("r");
      assert.deepEqual(await pfs.files(head), expected);
      await pfs.finish(head);
      assert.deepEqual(await pfs.files(head), expected);
    });
  }

  it("a child leaves its parent's files as they were", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { f: "a", "d/g": "b" });
    await play(pfs, [
      ["delete", "d"],
      ["overwrite", "f", "c"],
    ]);
    await pfs.finish(head);
    assert.deepEqual(await pfs.files(r("master/0")), { d: null, "d/g": "b", f: "a" });
  });

  it("a commit's size is what it added, not what is there", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { f: "12345" });
    await play(pfs, [
      ["put", "f", "678"],
      ["put", "g", "9"],
      ["delete", "g"],
    ]);
    assert.equal((await pfs.finish(head)).sizeBytes, 3);
    await play(pfs, [["delete", "f"]]);
    assert.equal((await pfs.finish(head)).sizeBytes, 0);
  });
});

describe("putFiles()", () => {
  const wrong: Record<string, RegExp> = {
    "../up": /it leaves the root of the repo/,
    "a/../../b": /it leaves the root of the repo/,
    "": /it is the root of the repo/,
    "/": /it is the root of the repo/,
    "a/..": /it is the root of the repo/,
    "a\0b": /it contains a NUL character/,
    [`x/${"y".repeat(65_536)}`]: /a path of 65538 bytes: at most 65536/,
  };
  for (const [path, message] of Object.entries(wrong)) {
    it(`putFiles() refuses the path ${JSON.stringify(path.slice(0, 12))}`, async (t) => {
      const pfs = await withRepo(t);
      await pfs.start("r");
      await assert.rejects(pfs.put(head, path, "x"), { code: "invalid_argument", message });
      assert.deepEqual(await pfs.files(head), {});
    });
  }

  it("putFiles() puts all files of a request or none", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { "d/f": "x" });
    await pfs.start("r");
    const content = Buffer.from("y");
    const put = pfs.putAll(head, [
      { path: "a", overwrite: false, content },
      { path: "d", overwrite: false, content },
    ]);
    await assert.rejects(put, { message: /^file type conflict: \/d is a directory/ });
    assert.deepEqual(await pfs.files(head), { d: null, "d/f": "x" });
  });

  it("putFiles() keeps the order of several puts to one path in a request", async (t) => {
    const pfs = await withRepo(t);
    await pfs.start("r");
    const put = (text: string, overwrite = false) => ({
      path: "f",
      overwrite,
      content: Buffer.from(text),
    });
    await pfs.putAll(head, [put("a"), put("b"), put("c", true), put("d")]);
    assert.equal(await pfs.get(head, "f"), "cd");
  });
});

describe("type conflicts", () => {
  const conflicts: readonly (readonly [string, string, RegExp])[] = [
    ["d/f", "d", /^file type conflict: \/d is a directory/],
    ["d", "d/f", /^file type conflict: \/d is a file/],
    ["d", "d/e/f", /^file type conflict: \/d is a file/],
  ];
  for (const [first, second, message] of conflicts) {
    it(`a put of ${second} is refused at once after ${first}, in this commit or before`, async (t) => {
      const pfs = await withRepo(t);
      await pfs.start("r");
      await pfs.put(head, first, "x");
      await assert.rejects(pfs.put(head, second, "y"), { code: "failed_precondition", message });
      await pfs.finish(head);
      await pfs.start("r");
      await assert.rejects(pfs.put(head, second, "y"), { code: "failed_precondition", message });
      await pfs.put(head, "other", "z");
      await pfs.finish(head);
      assert.equal(await pfs.get(head, first), "x");
    });
  }

  it("a child that conflicts with its parent fails to finish, naming the paths, and stays open", async (t) => {
    const pfs = await withRepo(t);
    const parent = r(await pfs.start("r"));
    const child = r(await pfs.start("r"));
    await pfs.put(child, "d/f", "child");
    await pfs.put(child, "e", "child");
    await pfs.put(child, "ok", "child");
    await pfs.put(parent, "d", "parent");
    await pfs.put(parent, "e/f", "parent");
    await pfs.finish(parent);
    await assert.rejects(pfs.finish(child), {
      code: "failed_precondition",
      message: /^file type conflict: d, e/,
    });
    await pfs.put(child, "more", "after");
    await pfs.delete(child, "d");
    await pfs.put(child, "d/f", "again");
    await pfs.delete(child, "e");
    assert.equal((await pfs.finish(child)).state, "finished");
    assert.deepEqual(await pfs.files(child), {
      d: null,
      "d/f": "again",
      more: "after",
      ok: "child",
    });
  });
});

describe("many files", () => {
  it("a commit of thousands of files in one request is whole, alone and with more writes", async (t) => {
    const pfs = await withRepo(t);
    const files = Array.from({ length: 2_100 }, (_, i) => ({
      path: `d${i % 7}/${i}`,
      overwrite: false,
      content: Buffer.from(`${i}`),
    }));
    await pfs.start("r");
    await pfs.putAll(head, files);
    await pfs.finish(head);
    await pfs.start("r");
    await pfs.delete(head, "d3");
    await pfs.putAll(head, files.slice(0, 50));
    await pfs.put(head, "d3/3", "more");
    await pfs.finish(head);
    const { files: listed } = await listFiles(pfs.deps, localPrincipal, {
      commit: head,
      path: "",
      query: { recurse: true, limit: 10_000 },
    });
    assert.equal(listed.length, 2_107 - 300 + 7);
    const expected = { 0: "00", 3: "3more", 10: "10", 49: "4949", 50: "50", 2_099: "2099" };
    for (const [i, text] of Object.entries(expected)) {
      assert.equal(await pfs.get(head, `d${Number(i) % 7}/${i}`), text);
      assert.equal(await pfs.get(r("master/0"), `d${Number(i) % 7}/${i}`), i);
    }
  });
});

describe("open commits", () => {
  it("a child shows what its open parent has so far, and its own writes on top", async (t) => {
    const pfs = await withRepo(t);
    const parent = r(await pfs.start("r"));
    const child = r(await pfs.start("r"));
    await pfs.put(child, "f", "child\n");
    await pfs.put(parent, "f", "parent\n");
    assert.deepEqual(await pfs.files(child), { f: "parent\nchild\n" });
    await pfs.put(parent, "f", "more\n");
    await pfs.put(parent, "g", "g\n");
    assert.deepEqual(await pfs.files(child), { f: "parent\nmore\nchild\n", g: "g\n" });
    await pfs.finish(parent);
    await pfs.finish(child);
    assert.deepEqual(await pfs.files(child), { f: "parent\nmore\nchild\n", g: "g\n" });
  });
});

describe("readers beside a finish", () => {
  it("a reader that looked while the commit was open sees it whole when it finishes meanwhile", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { f: "a" });
    const from = await pfs.deps.metadata.call("findCommit", head);
    await play(pfs, [
      ["put", "f", "b"],
      ["put", "g", "c"],
    ]);
    const seen = await pfs.deps.metadata.call("findCommit", head);
    await pfs.finish(head);
    const { root } = await pfs.deps.openRoots.rootOf(seen);
    assert.deepEqual([root.count, root.bytes], [2, 3]);
    const since = await sinceTree(pfs.deps, seen, from.info.uid);
    assert.deepEqual([since.root.count, since.root.bytes], [2, 2]);
  });
});

describe("openFile()", () => {
  it("openFile() reads ranges, also beyond the end", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { f: "0123456789" });
    await pfs.commit("r", { f: "abcdef" });
    const ranges: readonly (readonly [number, number, string])[] = [
      [0, 16, "0123456789abcdef"],
      [8, 12, "89ab"],
      [10, 11, "a"],
      [15, 99, "f"],
      [16, 20, ""],
      [99, 100, ""],
      [3, 3, ""],
    ];
    for (const [start, end, expected] of ranges)
      assert.equal(await pfs.get(head, "f", { start, end }), expected, `${start}-${end}`);
  });

  it("openFile() says what is wrong with a path", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { "d/f": "x" });
    await assert.rejects(pfs.get(head, "d"), {
      code: "failed_precondition",
      message: /^\/d of r\/master\/0 is a directory/,
    });
    await assert.rejects(pfs.get(head, "/"), { message: /^\/ of r\/master\/0 is a directory/ });
    for (const path of ["no", "d/no", "d/f/x"])
      await assert.rejects(pfs.get(head, path), {
        code: "not_found",
        message: new RegExp(`^file /${path} not found in repo r at commit master`),
      });
  });
});

describe("inspectFile()", () => {
  it("inspectFile() shows children, sizes and the last commit that touched a file", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { "d/a": "1", "d/e/b": "22", f: "333" });
    await pfs.commit("r", { "d/a": "4" });
    const dir = await pfs.inspect(head, "d");
    assert.deepEqual([dir.type, dir.children, dir.sizeBytes], ["dir", ["a", "e"], 4]);
    assert.equal(dir.commitModified.id, "master/1");
    assert.equal((await pfs.inspect(head, "d/e")).commitModified.id, "master/0");
    const file = await pfs.inspect(head, "d/a");
    assert.deepEqual(
      [file.path, file.type, file.sizeBytes, file.commitModified, file.children],
      ["d/a", "file", 2, r("master/1"), undefined],
    );
    assert.equal((await pfs.inspect(r("master/0"), "d/a")).commitModified.id, "master/0");
    await assert.rejects(pfs.inspect(head, "/"), { code: "not_found" });
    await assert.rejects(pfs.inspect(head, "x"), { code: "not_found" });
  });

  it("inspectFile() names the commit of an empty put and of an overwrite by the same bytes", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { f: "same", g: "same" });
    await play(pfs, [
      ["put", "f", ""],
      ["overwrite", "g", "same"],
    ]);
    await pfs.finish(head);
    assert.equal((await pfs.inspect(head, "f")).commitModified.id, "master/1");
    assert.equal((await pfs.inspect(head, "g")).commitModified.id, "master/1");
  });

  it("inspectFile() has equal digests for the same puts in other commits", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { f: "a\n", g: "a\n" });
    await pfs.commit("r", { f: "b\n", g: "c\n" });
    await pfs.commit("r", { f: "c\n", h: "a\n" }, { branch: "other" });
    const digest = async (id: string, path: string) => (await pfs.inspect(r(id), path)).digest;
    assert.equal(await digest("master/0", "f"), await digest("other", "h"));
    assert.notEqual(await digest("master", "f"), await digest("master", "g"));
  });
});

describe("listFiles()", () => {
  const tree = { "a/x": "1", "a/y/z": "22", "a.b": "333", b: "4444" };

  it("listFiles() shows direct children by name, or everything below", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", tree);
    assert.deepEqual(await pfs.list(head), ["a/ 3", "a.b 3", "b 4"]);
    assert.deepEqual(await pfs.list(head, "/a/"), ["a/x 1", "a/y/ 2"]);
    assert.deepEqual(await pfs.list(head, "b"), ["b 4"]);
    const all = ["a/ 3", "a/x 1", "a/y/ 2", "a/y/z 2", "a.b 3", "b 4"];
    assert.deepEqual(await pfs.list(head, "", { recurse: true }), all);
    assert.deepEqual(await pfs.list(head, "a", { recurse: true }), all.slice(1, 4));
    await assert.rejects(pfs.list(head, "c"), { code: "not_found" });
  });

  it("listFiles() of the root of an empty commit is empty", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r");
    assert.deepEqual(await pfs.list(head), []);
    assert.deepEqual(await pfs.list(head, "/", { recurse: true }), []);
  });

  for (const recurse of [false, true]) {
    it(`listFiles() gives the same in pages of any size, recurse ${recurse}`, async (t) => {
      const pfs = await withRepo(t);
      const files = Object.fromEntries(
        Array.from({ length: 40 }, (_, i) => [`d${i % 3 === 0 ? i : `/${i}/f`}`, `${i}`]),
      );
      await pfs.commit("r", files);
      for (const path of ["", "d"]) {
        const whole = await pfs.list(head, path, { recurse });
        for (const limit of [1, 2, 7, 100]) {
          const paged: string[] = [];
          let after: string | undefined;
          do {
            const query = { recurse, limit, ...(after === undefined ? {} : { after }) };
            const page = await listFiles(pfs.deps, localPrincipal, { commit: head, path, query });
            assert.ok(page.files.length <= limit);
            for (const { path: shown, type, sizeBytes } of page.files)
              paged.push(`${shown}${type === "dir" ? "/" : ""} ${sizeBytes}`);
            after = page.next;
          } while (after !== undefined);
          assert.deepEqual(paged, whole, `${path} ${limit}`);
        }
      }
    });
  }
});

it("inspectFile() of the root, bare, tells its digest, which changes with every file below it", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("data");
  const digestOf = async (id: string): Promise<string> => {
    const request = { commit: { repo: "data", id }, path: "/", query: {}, bare: true };
    const info = await inspectFile(pfs.deps, localPrincipal, request);
    assert.deepEqual([info.path, info.type], ["", "dir"]);
    return info.digest;
  };
  const first = await pfs.commit("data", { "a/b": "one" });
  const second = await pfs.commit("data");
  const third = await pfs.commit("data", { "a/b": "two" });
  assert.match(await digestOf(first), /^[0-9a-f]{64}$/);
  assert.equal(await digestOf(second), await digestOf(first));
  assert.notEqual(await digestOf(third), await digestOf(first));
  await assert.rejects(pfs.inspect({ repo: "data", id: third }, "/"), { code: "not_found" });
});
