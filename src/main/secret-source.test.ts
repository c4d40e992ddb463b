import { strict as assert } from "node:assert";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openSecretSource, secretVariables } from "./secret-source.ts";

test("openSecretSource() finds secrets as directories, files and variables", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "mammoth-secrets-"));
  t.after(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, "db", "..data"), { recursive: true });
  writeFileSync(join(directory, "db", "..data", "user"), "me");
  symlinkSync(join("..data", "user"), join(directory, "db", "user"));
  writeFileSync(join(directory, "key"), "from the file");
  const environment = secretVariables({
    PACHD_SECRET_KEY: "hidden by the file",
    PACHD_SECRET_API_TOKEN: "token",
    HOME: "/root",
  });
  const source = openSecretSource({ directory, environment });
  const read = async (name: string): Promise<Record<string, string> | undefined> => {
    const files = await source.read(name);
    if (files === undefined) return undefined;
    return Object.fromEntries([...files].map(([file, value]) => [file, value.toString()]));
  };
  assert.deepEqual(await read("db"), { user: "me" });
  assert.deepEqual(await read("key"), { value: "from the file" });
  assert.deepEqual(await read("api-token"), { value: "token" });
  assert.equal(await read("home"), undefined);
  assert.match(
    source.remedy("api-token"),
    /api-token, or start pachd with PACHD_SECRET_API_TOKEN set$/,
  );
});
