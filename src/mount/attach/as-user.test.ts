import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { CodedError } from "../../base/errors.ts";
import { mountAsUser } from "./as-user.ts";

const found = spawnSync("python3", ["-c", "import sys; print(sys.executable)"], {
  encoding: "utf8",
});
const python = found.stdout?.trim() ?? "";
const skip = python === "" ? "python3 is not installed" : false;
const signal = new AbortController().signal;

/** A PATH with these programs alone; `fusermount3` is what the script says, in Python. */
function pathWith(t: TestContext, programs: { python3?: boolean; fusermount3?: string }): string {
  const folder = mkdtempSync(join(tmpdir(), "mammoth-path-"));
  t.after(() => rmSync(folder, { recursive: true }));
  if (programs.python3 === true) symlinkSync(python, join(folder, "python3"));
  if (programs.fusermount3 !== undefined) {
    const file = join(folder, "fusermount3");
    writeFileSync(file, `#!${python}\n${programs.fusermount3}\n`);
    chmodSync(file, 0o755);
  }
  return folder;
}

async function mountWith(path: string): Promise<number> {
  const script = '[ "$(readlink "/proc/self/fd/$DESCRIPTOR")" = /dev/null ] && exit 7';
  return await mountAsUser(
    {
      point: "/home/me/pfs",
      source: "pfs@h:1",
      readOnly: true,
      command: ["/bin/sh", "-c", script],
      variable: "DESCRIPTOR",
      env: { PATH: path },
    },
    signal,
  );
}

const sends = `
import os, socket, sys
assert sys.argv[1:] == ["-o", "fsname=pfs@h:1,subtype=mammoth,nosuid,nodev,ro", "--", "/home/me/pfs"], sys.argv
channel = socket.socket(fileno=int(os.environ["_FUSE_COMMFD"]))
socket.send_fds(channel, [b"\\0"], [os.open("/dev/null", os.O_RDWR)])`;

describe("mountAsUser()", { skip }, () => {
  it("mountAsUser() hands the device that fusermount3 sends to the program, and ends as it does", async (t) => {
    const path = pathWith(t, { python3: true, fusermount3: sends });
    assert.equal(await mountWith(`${path}:/usr/bin:/bin`), 7);
  });

  const refusals = [
    {
      name: "there is no python3",
      programs: {},
      message:
        'Cannot mount on /home/me/pfs as an ordinary user: there is no python3. Install it with "apt-get install python3", or mount as root',
    },
    {
      name: "there is no fusermount3",
      programs: { python3: true },
      message:
        'Cannot mount on /home/me/pfs as an ordinary user: there is no fusermount3. Install it with "apt-get install fuse3", or mount as root',
    },
    {
      name: "fusermount3 refuses",
      programs: { python3: true, fusermount3: "raise SystemExit(1)" },
      message:
        "Cannot mount on /home/me/pfs as an ordinary user: fusermount3 refused, as it says above. Put that right, or mount as root",
    },
  ];
  for (const { name, programs, message } of refusals)
    it(`mountAsUser() says what to do when ${name}`, async (t) => {
      await assert.rejects(mountWith(pathWith(t, programs)), (error: unknown) => {
        assert.ok(error instanceof CodedError);
        assert.equal(error.code, "failed_precondition");
        assert.equal(error.message, message);
        return true;
      });
    });
});
