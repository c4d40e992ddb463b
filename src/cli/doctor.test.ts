import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { MiB } from "../base/size.ts";
import type { Machine } from "./machine.ts";
import { healthyMachine, nowMicros, run } from "./testing/run.ts";

/** A pachd whose clock is so many seconds off. */
async function pachdAhead(seconds: number): Promise<{ address: string; server: Server }> {
  const server = createServer((_request, response) => {
    const date = new Date(nowMicros / 1_000 + seconds * 1_000).toUTCString();
    response.writeHead(200, { date, server: "pachd/0.1.0" }).end('{"version": "0.1.0"}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

async function doctor(
  seconds: number,
  machine: Partial<Machine> = {},
): Promise<{ exit: number; lines: string[]; stderr: string }> {
  const { address, server } = await pachdAhead(seconds);
  const options = {
    address,
    machine: () => Promise.resolve({ ...healthyMachine, ...machine }),
  };
  const { exit, stdout, stderr } = await run(["doctor"], options);
  server.closeAllConnections();
  server.close();
  return { exit, lines: stdout.split("\n").map((line) => line.trimEnd()), stderr };
}

test("doctor finds everything in order", async () => {
  const { exit, lines, stderr } = await doctor(0);
  assert.deepEqual([exit, stderr], [0, ""]);
  assert.deepEqual(
    lines.slice(1).map((line) => line.split(/ {2,}/).slice(0, 2).join(" ")),
    ["pachd ok", "clock ok", "namespaces ok", "disk ok", "FUSE ok", "Docker ok", ""],
  );
});

test("doctor names what puts right what must be", async () => {
  const { exit, lines, stderr } = await doctor(60, {
    probeNamespaces: () => Promise.resolve({ works: false, reason: "sysctl x=1" }),
    diskRoom: () => Promise.resolve({ freeBytes: 5 * MiB, totalBytes: 50 * MiB }),
  });
  assert.equal(exit, 1);
  assert.equal(stderr, "Not in order: clock, namespaces, disk\n");
  const text = lines.join("\n");
  assert.match(text, /pachd is 60 s ahead/);
  assert.match(text, /^clock: sudo timedatectl set-ntp true /m);
  assert.match(text, /^namespaces: sysctl x=1$/m);
  assert.match(text, /5 MiB of 50 MiB free at \/var\/mammoth$/m);
  assert.match(text, /^disk: pachctl garbage-collect /m);
});

test("doctor does not fail for what only some uses need", async () => {
  const { exit, lines } = await doctor(0, {
    canUse: () => Promise.resolve("missing"),
    run: () => Promise.resolve(undefined),
  });
  assert.equal(exit, 0);
  assert.ok(lines.includes("FUSE: sudo modprobe fuse"));
  assert.ok(lines.includes("Docker: sudo apt-get install docker.io"));
  const denied = await doctor(0, {
    canUse: () => Promise.resolve("denied"),
    run: (program) =>
      Promise.resolve({ code: 1, output: program === "docker" ? "permission denied" : "" }),
  });
  assert.ok(denied.lines.includes("FUSE: sudo chmod 666 /dev/fuse"));
  assert.ok(denied.lines.some((line) => line.startsWith("Docker: sudo usermod -aG docker")));
});

test("doctor tells how to start a pachd that does not answer", async () => {
  const { exit, stdout, stderr } = await run(["doctor"], { address: "127.0.0.1:9" });
  assert.deepEqual([exit, stderr], [1, "Not in order: pachd\n"]);
  assert.match(stdout, /^pachd: Cannot reach pachd at 127.0.0.1:9: .+ Start it with "pachd"/m);
});
