import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { filesUnder, root } from "./checkout.ts";
import { tool } from "./tool.ts";

// npm run protos [-- --write]: makes the code for proto/*.proto once more and compares it with what is committed;
// with --write, replaces that.

const committed = "src/api/grpc/gen";

function run(script: string, args: readonly string[]): void {
  // The generator is a script too, and looks for its Node on PATH.
  const path = `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`;
  const env = { ...process.env, PATH: path };
  const done = spawnSync(process.execPath, [script, ...args], { cwd: root, env, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${script} failed:\n${done.stdout}${done.stderr}`);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function main(write: boolean): number {
  const folder = mkdtempSync(join(tmpdir(), "mammoth-protos-"));
  try {
    run(tool("buf"), ["generate", "-o", folder]);
    run(tool("oxfmt"), ["-c", join(root, ".oxfmtrc.json"), folder]);
    const names = filesUnder(["proto"]).map((path) =>
      path.replace(/^proto\/(.*)\.proto$/, "$1_pb.ts"),
    );
    const wanted = names.map((name) => join(committed, name));
    const left = filesUnder([committed]).filter((path) => !wanted.includes(path));
    const changed = wanted.filter(
      (path) => textOf(join(folder, path)) !== textOf(join(root, path)),
    );
    for (const path of write ? left : []) rmSync(join(root, path));
    for (const path of write ? changed : []) copyFileSync(join(folder, path), join(root, path));
    for (const path of [...changed, ...left])
      console.log(
        `${path}: ${write ? "written" : 'is not what proto/ says: run "npm run protos -- --write"'}`,
      );
    return write || changed.length + left.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = main(process.argv.includes("--write"));
