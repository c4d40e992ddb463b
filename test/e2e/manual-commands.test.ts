// Goal: the command lines of the manual of the 1.2 series do here what that manual says, in its order.
// Method: one table of lines for the shell, with the real pachctl and pachd; chapters are separate tests
// where the manual begins anew. Left out: mount, unmount, deploy, and what belongs to Kubernetes.
import { strict as assert } from "node:assert";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { openTestDaemon, run, testFolder, type TestDaemon } from "./testing/daemon.ts";

const binaries = fileURLToPath(new URL("../../bin", import.meta.url));
const pipelines = readFileSync(
  fileURLToPath(new URL("../../examples/fruit_stand/pipeline.json", import.meta.url)),
  "utf8",
);

/** Purchases of a fruit stand: 133 apples on the first day, 191 on the second. */
const set1 = "orange\t4\nbanana\t2\napple\t100\nbanana\t9\napple\t33\norange\t9\n";
const set2 = "apple\t191\nbanana\t1\norange\t5\n";

/** What a line prints on standard output: all of it, or what it must match. */
type Line = readonly [line: string, prints: string | RegExp];

interface Shell {
  readonly daemon: TestDaemon;
  readonly folder: string;
  /** Where the files of the manual are fetched from. */
  readonly url: string;
}

async function openShell(t: TestContext): Promise<Shell> {
  const files: Record<string, string> = {
    "/set1.txt": set1,
    "/set2.txt": set2,
    "/pipeline.json": pipelines,
  };
  const server = createServer((request, response) => {
    const file = files[request.url ?? ""];
    response.writeHead(file === undefined ? 404 : 200).end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { daemon: await openTestDaemon(t), folder: testFolder(t), url };
}

/** Runs the lines one after the other; each must succeed and say nothing on standard error. */
async function runLines({ daemon, folder, url }: Shell, lines: readonly Line[]): Promise<void> {
  for (const [line, prints] of lines) {
    const env = { ADDRESS: daemon.address, URL: url, PATH: `${binaries}:${process.env["PATH"]}` };
    const ran = await run("sh", ["-c", line], { cwd: folder, env });
    const said = ran.stdout.replaceAll(/ +$/gm, "");
    assert.deepEqual([ran.code, ran.stderr], [0, ""], `${line}\n${said}\n${daemon.log}`);
    if (typeof prints === "string") assert.equal(said, prints, line);
    else assert.match(said, prints, line);
  }
}

/** The commit of `sum` that a commit of `data` caused, as flush-commit shows it. */
const flushed = (commit: string): string =>
  `pachctl flush-commit ${commit} | awk '$2 ~ /^sum/ { sub("sum/", "", $2); print $2 }' > id`;

const tutorial: readonly Line[] = [
  ["pachctl help", /^ {2}put-file .+\n/m],
  // The manual forwards the default port; the port of this daemon needs it as little.
  ['pachctl port-forward -p "${ADDRESS#*:}" &', /^Nothing to forward: ADDRESS is that port/],
  ["pachctl version", /^COMPONENT +VERSION\npachctl +(\S+)\npachd +\1\n$/],
  ["pachctl create-repo data", ""],
  ["pachctl list-repo", /^NAME +CREATED +SIZE\ndata +.+ ago +0 B\n$/],
  ["pachctl put-file data master sales -c -f $URL/set1.txt", ""],
  ["pachctl list-repo", new RegExp(`\ndata +.+ ago +${set1.length} B\n$`)],
  [
    "pachctl list-commit data",
    /^BRANCH +REPO\/ID +PARENT +STARTED +FINISHED +SIZE\nmaster +data\/master\/0 +<none> +.+ ago +.+ ago +\d+ B\n$/,
  ],
  ["pachctl get-file data master sales", set1],
  ["pachctl create-pipeline -f $URL/pipeline.json", ""],
  [flushed("data/master/0"), ""],
  [
    "pachctl list-job",
    /^ID +OUTPUT +STARTED +DURATION +STATE\n\S+ +sum\/\w+\/0 .+ success\n\S+ +filter\/\w+\/0 .+ success\n$/,
  ],
  ["pachctl list-repo", /^data .+\nfilter .+\nsum .+\n$/m],
  ["pachctl get-file sum $(cat id) apple", "133\n"],
  ["pachctl put-file data master sales -c -f $URL/set2.txt", ""],
  [flushed("data/master/1"), ""],
  ["pachctl get-file sum $(cat id) apple", "324\n"],
  ["pachctl get-file sum --of data/master/1 apple", "324\n"],
  ["pachctl get-file sum --of data/master/0 apple", "133\n"],
  ["pachctl list-commit data", /\nmaster +data\/master\/1 +master\/0 .+\n$/],
  ["pachctl list-job | awk 'NR == 2 { print $1 }' > job", ""],
  // These commands print nothing.
  ["pachctl get-logs $(cat job)", ""],
];

test("the tutorial and its troubleshooting", async (t) => {
  const shell = await openShell(t);
  await runLines(shell, tutorial);
  await runLines(shell, [
    ["pachctl delete-pipeline sum && pachctl delete-repo sum", ""],
    ["pachctl list-repo", /^data .+\nfilter .+\n$/m],
    ["echo n | pachctl delete-all", /yN\n$/],
    ["pachctl list-pipeline", /\nfilter +data +filter +running\n$/],
    ["echo y | pachctl delete-all", /^Are you sure you want to delete all .+ yN\n$/],
    [
      "pachctl list-pipeline",
      "NAME                INPUT               OUTPUT              STATE\n",
    ],
    ["pachctl list-repo", "NAME                CREATED             SIZE\n"],
    ["pachctl list-job", /^ID .+STATE\n$/],
    ["pachctl archive-all", ""],
  ]);
});

test("getting data in, results out, and archiving", async (t) => {
  const shell = await openShell(t);
  const { folder } = shell;
  mkdirSync(join(folder, "dir/below"), { recursive: true });
  for (const name of ["file", "more", "dir/a", "dir/below/b"])
    writeFileSync(join(folder, name), `${name}\n`);
  const ofData = pipelines.replaceAll("/pfs/data", "/pfs/Data").replace('"data"', '"Data"');
  writeFileSync(join(folder, "your_pipeline.json"), ofData);
  writeFileSync(join(folder, "list"), `file\nmore\n${shell.url}/set1.txt\n`);
  await runLines(shell, [
    ["pachctl create-repo data", ""],
    ["pachctl start-commit data", "master/0\n"],
    ["pachctl put-file data master -f file", ""],
    ["pachctl finish-commit data master", ""],
    ["pachctl put-file -c data master -f file", ""],
    ["pachctl start-commit data master", "master/2\n"],
    ["pachctl put-file data master -f $URL/set1.txt", ""],
    ["pachctl put-file data list -i list -c", ""],
    ["pachctl list-file data list", /^\/file .+\n\/more .+\n\/set1.txt .+\n$/m],
    ["pachctl put-file data several -c -f file,more -f dir/a", ""],
    [
      "pachctl list-file data several --recurse",
      /^\/dir .+\n\/dir\/a .+\n\/file .+\n\/more .+\n$/m,
    ],
    ['echo "data" | pachctl put-file data master path', ""],
    ["pachctl put-file -r data master -f dir", ""],
    ["pachctl put-file -r data master once -f dir", ""],
    ["pachctl finish-commit data master", ""],
    ["pachctl get-file data master file", "file\nfile\n"],
    ["pachctl get-file data master path", "data\n"],
    ["pachctl get-file data master set1.txt", set1],
    ["pachctl get-file data master dir/below/b", "dir/below/b\n"],
    ["pachctl get-file data master once/below/b", "dir/below/b\n"],
    [
      "pachctl inspect-file data master dir",
      /^Type: dir\n.+\n.+\n.+: data\/master\/2\nChildren:  \/dir\/a  \/dir\/below$/m,
    ],
    ["pachctl create-repo Data && pachctl put-file Data master sales -c -f $URL/set1.txt", ""],
    ["pachctl create-pipeline -f your_pipeline.json", ""],
    [
      "pachctl flush-commit Data/master/0",
      /^master +Data\/master\/0 .+\n(.+\n)*\w+ +sum\/\w+\/0 .+$/m,
    ],
    ["pachctl get-file sum --of Data/master/0 apple", "133\n"],
    ["pachctl archive-commit Data/master/0", ""],
    ["pachctl list-commit Data sum", /^BRANCH .+\n$/],
    ["pachctl list-commit -a Data", /\nmaster +Data\/master\/0 .+\n$/],
    ["pachctl get-file Data master/0 sales", set1],
    ["pachctl archive-all", ""],
    ["pachctl list-commit", /^BRANCH .+\n$/],
    ["pachctl list-branch data", ""],
    ["pachctl list-branch data -a", "list\nmaster\nseveral\n"],
  ]);
});

test("the file system's own chapter, and what makes commits of commits", async (t) => {
  const shell = await openShell(t);
  await runLines(shell, [
    ["pachctl create-repo foo", ""],
    ["pachctl start-commit foo master", "master/0\n"],
    ["echo 'hai' | pachctl put-file foo master/0 test.txt", ""],
    ["pachctl finish-commit foo master/0", ""],
    ["pachctl start-commit foo master", "master/1\n"],
    ["echo 'bai' | pachctl put-file foo master/1 test.txt", ""],
    ["pachctl finish-commit foo master/1", ""],
    ["pachctl get-file foo master/1 test.txt", "hai\nbai\n"],
    ["pachctl fork-commit foo master/0 b", "b/0\n"],
    ["echo b | pachctl put-file foo b b.txt && pachctl mkdir foo b d", ""],
    ["pachctl finish-commit foo b", ""],
    ["pachctl inspect-commit foo b", /^Commit: foo\/b\/0\nParent: master\/0\nBranch: b\n/],
    ["pachctl start-commit foo all", "all/0\n"],
    ["pachctl squash-commit foo master/1 b/0 all/0", ""],
    ["pachctl finish-commit foo all", ""],
    ["pachctl list-file foo all", /^\/b.txt .+\n\/d +dir .+\n\/test.txt .+\n$/m],
    ["pachctl replay-commit foo master/1 b/0 again", "again/0\nagain/1\nagain/2\n"],
    ["pachctl get-file foo again test.txt", "hai\nbai\n"],
    ["pachctl start-commit foo master && pachctl delete-file foo master test.txt", "master/2\n"],
    ["pachctl finish-commit foo master --cancel", ""],
    ["pachctl inspect-repo foo", /^Name: foo\n/],
    ["METRICS=false pachctl --no-metrics list-branch foo", "again\nall\nb\nmaster\n"],
  ]);
});

test("every command of the reference that is here has its help", async (t) => {
  const { daemon } = await openShell(t);
  const listed = await daemon.ok(["help"]);
  const commands =
    `archive-all commit create-pipeline create-repo delete-all delete-file delete-pipeline
    delete-repo file finish-commit flush-commit fork-commit get-file get-logs inspect-commit
    inspect-file inspect-job inspect-pipeline inspect-repo job list-branch list-commit list-file
    list-job list-pipeline list-repo pipeline port-forward put-file replay-commit repo
    squash-commit start-commit version`.split(/\s+/);
  for (const name of commands) assert.match(listed, new RegExp(`^  ${name} `, "m"), name);
});
