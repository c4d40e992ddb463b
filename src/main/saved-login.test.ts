import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { isCoded } from "../base/errors.ts";
import { savedLogin } from "./saved-login.ts";

describe("savedLogin()", () => {
  let folder: string;
  let path: string | undefined;
  const config = async (value: object): Promise<void> =>
    await writeFile(join(folder, "config.json"), JSON.stringify(value));
  const auth = Buffer.from("ann:pass:word").toString("base64");

  before(() => void (path = process.env["PATH"]));
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "mammoth-login-"))));
  after(() => void (process.env["PATH"] = path));

  it("finds what docker login wrote, and Docker Hub under its long name", async () => {
    await config({
      auths: { "r.example:5000": { auth }, "https://index.docker.io/v1/": { auth } },
    });
    const ann = { username: "ann", password: "pass:word" };
    assert.deepEqual(await savedLogin(folder, "r.example:5000"), ann);
    assert.deepEqual(await savedLogin(folder, "docker.io"), ann);
    assert.equal(await savedLogin(folder, "other.example"), undefined);
  });
  it("finds nothing without a file", async () => {
    await rm(folder, { recursive: true });
    assert.equal(await savedLogin(folder, "docker.io"), undefined);
  });
  it("asks the helper program of the registry, and says when it fails", async () => {
    await config({ credsStore: "none-such", credHelpers: { "r.example": "tester" } });
    const program = `#!/bin/sh\nread server\n[ "$1 $server" = "get r.example" ] && echo '{"Username":"bob","Secret":"s"}'\n`;
    await writeFile(join(folder, "docker-credential-tester"), program, { mode: 0o755 });
    process.env["PATH"] = `${folder}:${path}`;
    assert.deepEqual(await savedLogin(folder, "r.example"), { username: "bob", password: "s" });
    await assert.rejects(savedLogin(folder, "other.example"), (error) =>
      isCoded(error, "failed_precondition"),
    );
  });
  it("knows a helper that has no login from one that fails", async () => {
    await config({ credsStore: "empty" });
    const program = `#!/bin/sh\necho 'credentials not found in native keychain'\nexit 1\n`;
    await writeFile(join(folder, "docker-credential-empty"), program, { mode: 0o755 });
    process.env["PATH"] = `${folder}:${path}`;
    assert.equal(await savedLogin(folder, "r.example"), undefined);
  });
  it("refuses a file that is not JSON", async () => {
    await writeFile(join(folder, "config.json"), "{");
    await assert.rejects(savedLogin(folder, "docker.io"), /logins of registries in .*config.json/);
  });
});
