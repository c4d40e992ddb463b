// Goal: the curl API of pfs 0.4 is there as its documents say. Method: a real daemon that answers to the name pfs,
// the real curl, the lines of the documents in their order, each with all that it prints.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openShell } from "./testing/curl-shell.ts";
import { testFolder } from "./testing/daemon.ts";

/** Lines as the documents of pfs 0.4 have them, names filled in; between them what makes their output telling. */
const documented: readonly (readonly [line: string, printed: string])[] = [
  ["curl pfs/ping", "pong\n"],
  ["curl -XGET pfs/commit", ""],
  ["curl -XGET pfs/branch", ""],
  // Write <file> to <branch>. Branch defaults to "master".
  [
    "curl -XPOST pfs/file/dir/one?branch=master -T local_file",
    "Created data/master/dir/one, size: 6.\n",
  ],
  ["curl -XPOST pfs/file/dir/two -T other_file", "Created data/master/dir/two, size: 6.\n"],
  [
    "curl -XPOST pfs/file/dir/below/deep -T local_file",
    "Created data/master/dir/below/deep, size: 6.\n",
  ],
  // Read <file> from <master>.
  ["curl pfs/file/dir/one", "local\n"],
  // Read all files in a <directory>.
  ["curl pfs/file/dir/*", "local\nother\n"],
  // Read <file> from <commit>.
  ["curl pfs/file/dir/one?commit=master", "local\n"],
  ["curl -XPOST pfs/commit", "master/0\n"],
  ["curl -XPOST pfs/file/dir/one -T other_file", "Created data/master/dir/one, size: 6.\n"],
  ["curl pfs/file/dir/one?commit=master/0", "local\n"],
  ["curl pfs/file/dir/one", "other\n"],
  // Delete <file> from <branch>. Branch defaults to "master".
  ["curl -XDELETE pfs/file/dir/two?branch=master", "Deleted data/master/dir/two.\n"],
  ["curl -XDELETE pfs/file/dir/below/deep", "Deleted data/master/dir/below/deep.\n"],
  ["curl pfs/file/dir/*", "other\n"],
  // Commit dirty changes to <branch>. Defaults to "master".
  ["curl -XPOST pfs/commit?branch=master", "master/1\n"],
  // Getting all commits.
  [
    "curl -XGET pfs/commit",
    '{"name":"master/1","tstamp":"TIME"}\n{"name":"master/0","tstamp":"TIME"}\n',
  ],
  // Create <branch> from <commit>: as the documents have it, the shell cuts the line at the "&".
  [
    "curl -XPOST pfs/branch?commit=master/0&branch=dev; wait",
    `Cannot make a branch behind commit "master/0" without a name. If you typed &branch=NAME, the shell cut it off at the unquoted "&": put the URL in quotes, as in curl -XPOST 'pfs/branch?commit=master/0&branch=NAME'\n`,
  ],
  ["curl -XPOST 'pfs/branch?commit=master/0&branch=dev'", "Created branch. (master/0) -> dev.\n"],
  ["curl pfs/file/dir/*?commit=dev", "local\nother\n"],
  [
    "curl -XPOST pfs/file/dir/three?branch=dev -T local_file",
    "Created data/dev/dir/three, size: 6.\n",
  ],
  // Commit to <branch>
  ["curl -XPOST pfs/commit?branch=dev", "dev/0\n"],
  // Getting all branches.
  ["curl -XGET pfs/branch", '{"name":"dev","tstamp":"TIME"}\n{"name":"master","tstamp":"TIME"}\n'],
  ["curl pfs/file/dir/three?commit=dev/0", "local\n"],
  ["curl pfs/file/*/*?commit=dev/0", "local\nlocal\nother\n"],
  ["curl -XPOST pfs/branch?branch=next", "Created branch. (master/1) -> next.\n"],
];

test("the file, commit and branch lines of the pfs 0.4 documents do what these say", async (t) => {
  const shell = await openShell(t);
  shell.write("local_file", "local\n");
  shell.write("other_file", "other\n");
  for (const [line, printed] of documented) assert.equal(await shell.prints(line), printed, line);
  assert.equal(
    await shell.daemon.ok(["get-file", "data", "dev/0", "dir/three"]),
    "local\n",
    "pachctl sees the same",
  );
  const times = (await shell.type("curl pfs/commit")).stdout.match(/\d{4}-[^"]+/g) ?? [];
  assert.equal(times.length, 3);
  for (const time of times) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
});

test("a body is bytes, however it is sent and whatever it is called", async (t) => {
  const shell = await openShell(t);
  const bytes = randomBytes(3_000_000);
  shell.write("bytes", bytes);
  const ways = [
    "-T bytes",
    "--data-binary @bytes",
    "-T - < bytes",
    "-H 'Transfer-Encoding: chunked' --data-binary @bytes",
    "-H 'Expect: 100-continue' --data-binary @bytes",
    "-H 'Expect:' -T bytes",
    "-H 'Content-Type: application/text' -T bytes",
    "-H 'Content-Type: application/json' --data-binary @bytes",
    "-H 'Content-Type: multipart/form-data; boundary=x' --data-binary @bytes",
    "-H 'Content-Type:' --data-binary @bytes",
    "-H 'Content-Type;' --data-binary @bytes",
    "-H 'Content-Type: ;;; nonsense' --data-binary @bytes",
    "-H 'Content-Encoding: gzip' --data-binary @bytes",
    "--http1.0 -T bytes",
  ];
  for (const [i, way] of ways.entries()) {
    const method = i % 2 === 0 ? "POST" : "PUT";
    const line = `curl -X${method} pfs/file/way${i} ${way}`;
    assert.equal(
      await shell.prints(line),
      `Created data/master/way${i}, size: ${bytes.length}.\n`,
      line,
    );
    assert.equal(
      await shell.prints(`curl pfs/file/way${i} | cmp - bytes && echo same`),
      "same\n",
      line,
    );
  }
  assert.equal(
    await shell.prints("curl -XPOST pfs/file/form -d a=b -d c=d && curl pfs/file/form"),
    "Created data/master/form, size: 7.\na=b&c=d",
  );
  assert.equal(
    await shell.prints("curl -XPOST pfs/file/empty && curl pfs/file/empty"),
    "Created data/master/empty, size: 0.\n",
  );
});

test("patterns, ranges, prefixes and names with anything in them", async (t) => {
  const shell = await openShell(t);
  const paths = ["a1", "a2", "b1", "dir/a1", "dir/x", "dir2/x", "a b", "é", "q%3Fr", "s%5B1%5D"];
  for (const path of paths)
    await shell.type(`curl -g -XPOST 'pfs/file/${path.replace(" ", "%20")}' -d '${path},'`);
  const reads: readonly (readonly [url: string, printed: string])[] = [
    ["a%3F", "a1,a2,"],
    ["%3F1", "a1,b1,"],
    ["[ab]1", "a1,b1,"],
    ["[!a]1", "b1,"],
    ["%5Ba-b%5D[2-9]", "a2,"],
    ["*/x", "dir/x,dir2/x,"],
    ["dir%3F/*", "dir2/x,"],
    ["a*", "a b,a1,a2,"],
    ["a%20b", "a b,"],
    ["%C3%A9", "é,"],
    ["q%3Fr", "q%3Fr,"],
    ["s[1]", "s%5B1%5D,"],
    ["./dir//x", "dir/x,"],
  ];
  for (const [url, printed] of reads)
    assert.equal(await shell.prints(`curl -g --path-as-is 'pfs/file/${url}'`), printed, url);
  assert.equal(await shell.prints("curl -r 1-3 pfs/file/dir/a1"), "ir/");
  assert.equal(await shell.prints("curl -r -3 'pfs/file/dir/a*'"), "a1,");
  assert.equal(await shell.status("curl -r 1-3 pfs/file/dir/a1"), "206");
  assert.equal(await shell.status("curl -r 99- pfs/file/dir/a1"), "416");
  assert.match(await shell.prints("curl -I pfs/file/dir/a1"), /content-length: 7\r\n/i);
  assert.doesNotMatch(await shell.prints("curl -I 'pfs/file/a*'"), /content-length/i);
  await shell.type("curl -XPOST pfs/commit");
  for (const commit of ["master/0", "master", "mas", "mas/0"])
    assert.equal(await shell.prints(`curl pfs/file/a1?commit=${commit}`), "a1,", commit);
});

test("what is wrong has the right status, and a text that says what to do", async (t) => {
  const shell = await openShell(t);
  shell.write("local_file", "local\n");
  for (const line of [
    "curl -XPOST pfs/file/dir/one -T local_file",
    "curl -XPOST pfs/commit",
    "curl -XPOST 'pfs/branch?commit=master/0&branch=dev'",
  ])
    assert.equal(await shell.status(line), "200", line);
  const refused: readonly (readonly [status: string, line: string])[] = [
    ["404", "curl pfs/file/nowhere"],
    ["404", "curl pfs/file/nowhere*"],
    ["404", "curl pfs/file/dir/one?branch=nowhere"],
    ["404", "curl pfs/file/dir/one?branch=de"],
    ["404", "curl pfs/file/dir/one?commit=master/7"],
    ["404", "curl pfs/file/dir/one?commit=../../.."],
    ["404", "curl -XDELETE pfs/file/nowhere"],
    ["404", "curl -XDELETE pfs/file/dir/one?branch=nowhere"],
    ["409", "curl pfs/file/dir"],
    ["409", "curl pfs/file/"],
    ["409", "curl -XDELETE pfs/file/dir"],
    ["409", "curl -XPOST pfs/file/dir -T local_file"],
    ["409", "curl -XPOST pfs/file/dir/one/below -T local_file"],
    ["400", "curl -XPOST pfs/file/ -d x"],
    ["400", "curl -XPOST pfs/file/x?branch=master/0 -T local_file"],
    ["400", "curl -XPOST pfs/file/x?branch= -T local_file"],
    ["400", "curl -XPOST pfs/file/x?branhc=dev -T local_file"],
    ["400", "curl -XPOST 'pfs/file/x?branch=a&branch=b' -T local_file"],
    ["400", "curl --path-as-is -XPOST pfs/file/../../x -T local_file"],
    ["400", "curl --path-as-is pfs/file/%2e%2e/x"],
    ["400", "curl pfs/file/%ZZ"],
    ["400", "curl pfs/file/%00"],
    ["400", "curl 'pfs/file/dir/one?branch=master&commit=master/0'"],
    ["400", "curl pfs/file/dir/one?commit="],
    ["400", "curl -XPOST pfs/commit -d branch=dev"],
    ["400", "curl -XPOST pfs/commit?commit=mine"],
    ["400", "curl -XPOST pfs/commit?branch=a/b"],
    ["400", "curl -XPOST pfs/branch"],
    ["400", "curl -XPOST pfs/branch?commit=master/0"],
    ["400", "curl -XPOST 'pfs/branch?commit=master/0&branch=master/9'"],
    ["404", "curl -XPOST 'pfs/branch?commit=master/9&branch=new'"],
    ["409", "curl -XPOST 'pfs/branch?commit=master/0&branch=dev'"],
    ["409", "curl -XPOST 'pfs/branch?commit=dev&branch=new'"],
    ["405", "curl -XPATCH pfs/file/dir/one"],
    ["405", "curl -XDELETE pfs/commit"],
    ["405", "curl -XPUT pfs/branch -d x"],
    ["404", "curl pfs/commit/"],
    ["404", "curl pfs/job/x"],
  ];
  const before = await shell.prints("curl pfs/commit pfs/branch 'pfs/file/*/*'");
  for (const [status, line] of refused) {
    assert.equal(await shell.status(line), status, line);
    assert.match(await shell.prints(line), /^[^\n]{20,}\n?(?:[^\n]+\n?)?$/, line);
  }
  const after = await shell.prints("curl pfs/commit pfs/branch 'pfs/file/*/*'");
  assert.equal(after, before, "nothing of it was done");
});

test("--curl-repo names the repo, and a token is asked for as everywhere", async (t) => {
  const folder = testFolder(t);
  writeFileSync(join(folder, "token"), "0123456789abcdef\n");
  const shell = await openShell(t, [
    "--curl-repo",
    "old_data",
    "--token-file",
    join(folder, "token"),
  ]);
  assert.equal(await shell.status("curl -XPOST pfs/file/a -d x"), "401");
  const token = "-H 'Authorization: Bearer 0123456789abcdef'";
  assert.equal(
    await shell.prints(`curl ${token} -XPOST pfs/file/a -d x`),
    "Created old_data/master/a, size: 1.\n",
  );
});
