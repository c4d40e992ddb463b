import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseMountList } from "./mount-list.ts";

const text = String.raw`22 27 0:21 / /proc rw,relatime - proc proc rw
90 27 0:53 / /home/me/my\040pfs rw,nosuid,nodev - fuse.mammoth pfs@127.0.0.1:30650 rw,user_id=0
91 27 0:54 / /mnt/sshfs rw - fuse.sshfs me@there rw
92 27 0:55 / /tmp/a\134b shared:1 rw - fuse.mammoth pfs@h:1 rw
`;

describe("parseMountList()", () => {
  it("parseMountList() finds our mounts alone, with names as they are", () => {
    assert.deepEqual(parseMountList(text), [
      { point: "/home/me/my pfs", source: "pfs@127.0.0.1:30650", device: "0:53" },
      { point: "/tmp/a\\b", source: "pfs@h:1", device: "0:55" },
    ]);
  });

  it("parseMountList() reads names that are not ASCII", () => {
    const line = `1 2 0:3 / /tmp/größe rw - fuse.mammoth pfs@h:1 rw\n`;
    assert.equal(parseMountList(line)[0]?.point, "/tmp/größe");
  });
});
