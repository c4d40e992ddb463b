import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseMountInfo, sandboxTable } from "./mount-table.ts";

const info = `27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
25 24 0:23 / /dev/shm rw,nosuid,nodev - tmpfs tmpfs rw
30 27 0:25 / /mnt/my\\040disk rw,nosuid,nodev,noexec,relatime - ext4 /dev/sdb rw
31 27 0:26 / /mnt/my\\040disk rw,nosuid - ext4 /dev/sdc rw
`;

const plan = {
  root: "/var/m/root",
  topLevel: ["dev", "mnt", "usr", "var"],
  hostMounts: parseMountInfo(info),
  pfs: "/var/m/pfs",
  mounts: [
    { name: "in", hostPath: "/mnt/my disk/in", writable: false },
    { name: "out", hostPath: "/var/m/out", writable: true },
  ],
  tmp: "/var/m/tmp",
  hidden: ["/var/m", "/tmp/other"],
  secrets: [],
  kernelSettings: ["/proc/sys", "/proc/sysrq-trigger"],
  devices: ["/dev/vda"],
};

describe("parseMountInfo()", () => {
  it("decodes paths and keeps the top one of several mounts", () => {
    assert.deepEqual(parseMountInfo(info), [
      { path: "/", flags: [] },
      { path: "/dev/shm", flags: ["nosuid", "nodev"] },
      { path: "/mnt/my disk", flags: ["nosuid"] },
    ]);
  });
});

describe("sandboxTable()", () => {
  const lines = sandboxTable(plan).trimEnd().split("\n");

  it("binds the directory that holds the root before all others", () => {
    assert.equal(lines[0], "/var/m/root /var/m/root none bind,ro 0 0");
    assert.equal(lines[1], "/var /var/m/root/var none rbind,ro 0 0");
  });
  it("remounts submounts read-only with the flags that the kernel insists on", () => {
    assert.ok(
      lines.includes("none /var/m/root/mnt/my\\040disk none remount,bind,ro,nosuid 0 0"),
      lines.join("\n"),
    );
    assert.ok(
      lines.includes("/mnt/my\\040disk/in /var/m/root/pfs/in none bind,ro,nosuid 0 0"),
      lines.join("\n"),
    );
  });
  it("leaves only out, tmp and shared memory writable", () => {
    const writable = lines
      .filter((line) => !/[ ,](ro|proc)[ ,]/.test(line))
      .map((line) => line.split(" ")[1]);
    assert.deepEqual(writable, [
      "/var/m/root/dev/vda",
      "/var/m/root/dev/shm",
      "/var/m/root/tmp",
      "/var/m/root/pfs/out",
    ]);
  });
  it("hides what is shown and passes over what is not", () => {
    assert.match(lines.at(-1) ?? "", /^tmpfs \/var\/m\/root\/var\/m tmpfs ro,/);
  });
  it("hides once what lies in what is hidden", () => {
    const nested = { ...plan, hidden: ["/var/m/work", "/var/m", "/var/m2"] };
    const hidden = sandboxTable(nested).match(/^tmpfs \S+\/var\S*/gm);
    assert.deepEqual(hidden, ["tmpfs /var/m/root/var/m", "tmpfs /var/m/root/var/m2"]);
  });
});
