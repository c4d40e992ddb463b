// Goal: what npm installs works by itself, without the checkout.
// Method: pack, install into an empty prefix, then type a small tutorial at the installed commands.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { root } from "../../scripts/checkout.ts";
import { startDaemon, type Daemon } from "../../scripts/demo/daemon.ts";

const scratch = mkdtempSync(join(tmpdir(), "mammoth-package-"));
const prefix = join(scratch, "prefix");
const path = [join(prefix, "bin"), dirname(process.execPath), process.env["PATH"]].join(delimiter);
let packed: string[] = [];
let daemon: Daemon | undefined;

before(() => {
  mkdirSync(prefix);
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
  const env = { ...process.env, PATH: path };
  const answer = execFileSync("npm", ["pack", "--json", "--pack-destination", scratch, ...quiet], {
    cwd: root,
    env,
    encoding: "utf8",
  });
  // What prepack says stands before npm's answer.
  const [pack] = JSON.parse(answer.slice(answer.indexOf("[\n"))) as [
    { filename: string; files: { path: string }[] },
  ];
  packed = pack.files.map((file) => file.path);
  const install = ["install", "--global", "--prefix", prefix, "--prefer-offline", ...quiet];
  execFileSync("npm", [...install, join(scratch, pack.filename)], { cwd: scratch, env });
});

after(async () => {
  await daemon?.stop();
  rmSync(scratch, { recursive: true });
});

/** Types one of the installed commands. */
function type(command: string, args: readonly string[], input = ""): string {
  const address = daemon === undefined ? {} : { ADDRESS: daemon.address };
  const env = { PATH: path, HOME: scratch, ...address };
  const typed = spawnSync(command, args, { cwd: scratch, env, input, encoding: "utf8" });
  assert.equal(typed.status, 0, `${command} ${args.join(" ")}: ${typed.stderr}`);
  return typed.stdout;
}

test("the package holds launchers, compiled code and its papers, nothing else", () => {
  const expected = ["LICENSE", "README.md", "bin", "dist", "package.json"];
  const found = new Set(packed.map((file) => file.split("/")[0] ?? ""));
  assert.deepEqual(
    [...found].filter((name) => !expected.includes(name)),
    [],
  );
  assert.deepEqual(
    packed.filter((file) => /\.test\.|\/testing\/|(?<!\.d)\.ts$/.test(file)),
    [],
  );
  assert.ok(packed.includes("dist/main/pachd.js") && packed.includes("dist/client/index.d.ts"));
});

test("the installed pachctl shows its help", () => {
  assert.match(type("pachctl", ["version", "--help"]), /Usage: pachctl version/);
});

test("the installed commands carry a small tutorial through", async () => {
  daemon = await startDaemon({
    program: join(prefix, "bin/pachd"),
    args: ["--root", join(scratch, "root")],
    logFile: join(scratch, "pachd.log"),
    signal: AbortSignal.timeout(60_000),
  });
  const spec = {
    pipeline: { name: "upper" },
    transform: { cmd: ["sh"], stdin: ["tr a-z A-Z < /pfs/data/greeting >> /pfs/out/greeting"] },
    inputs: [{ repo: { name: "data" } }],
  };
  writeFileSync(join(scratch, "upper.json"), JSON.stringify(spec));
  type("pachctl", ["create-repo", "data"]);
  type("pachctl", ["put-file", "data", "master", "greeting", "-c"], "hello\n");
  assert.equal(type("pachctl", ["get-file", "data", "master", "greeting"]), "hello\n");
  type("pachctl", ["create-pipeline", "-f", "upper.json"]);
  const commit = /\bupper\/(\S+\/0)/.exec(type("pachctl", ["flush-commit", "data/master/0"]))?.[1];
  assert.equal(type("pachctl", ["get-file", "upper", commit ?? "", "greeting"]), "HELLO\n");
  assert.ok(readdirSync(join(scratch, "root")).length > 0);
});
