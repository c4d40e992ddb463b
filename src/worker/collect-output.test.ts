import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { probeNamespaces } from "../runner/index.ts";
import { openWorkerBench, type WorkerBench } from "./testing/worker-bench.ts";

const probe = await probeNamespaces();
const long = "0123456789".repeat(60_000);

/** Script, what it did, and the whole output afterwards where that says more. */
const withParent: Record<string, readonly string[]> = {
  true: [],
  "cat /pfs/out/a /pfs/prev/a /pfs/out/d/x >/dev/null": [],
  "echo b >> /pfs/out/a": ["append a=b\n"],
  "echo b >> /pfs/out/d/x; echo c >> /pfs/out/d/x": ["append d/x=b\nc\n"],
  "echo new > /pfs/out/a": ["replace a=new\n"],
  "echo parent > /pfs/out/a": ["replace a=parent\n"],
  "echo parent more > /pfs/out/a": ["replace a=parent more\n"],
  "printf 'parent\\nmore' > /pfs/out/a": ["append a=more"],
  ": > /pfs/out/a": ["replace a="],
  "truncate -s 3 /pfs/out/a": ["replace a=par"],
  "printf X | dd of=/pfs/out/a conv=notrunc 2>/dev/null": ["replace a=Xarent\n"],
  "printf X | dd of=/pfs/out/a conv=notrunc 2>/dev/null; echo y >> /pfs/out/a": [
    "replace a=Xarent\ny\n",
  ],
  "touch /pfs/out/a": ["replace a=parent\n"],
  "chmod 600 /pfs/out/a; chmod 700 /pfs/out/d": [],
  "rm /pfs/out/a; echo new > /pfs/out/a": ["replace a=new\n"],
  "cp /pfs/out/a /pfs/out/t; echo z >> /pfs/out/t; mv /pfs/out/t /pfs/out/a": [
    "replace a=parent\nz\n",
  ],
  "sed -i s/parent/child/ /pfs/out/a": ["replace a=child\n"],
  "cp /pfs/prev/a /pfs/out/a": ["replace a=parent\n"],
  "rm /pfs/out/a": ["delete a"],
  "rm -r /pfs/out/d": ["delete d"],
  "rm /pfs/out/d/x": ["delete d/x"],
  "mv /pfs/out/a /pfs/out/z": ["delete a", "append z=parent\n"],
  "mv /pfs/out/a /pfs/out/d/x": ["delete a", "replace d/x=parent\n"],
  "mv /pfs/out/d /pfs/out/e": [
    "delete d",
    "mkdir e",
    "mkdir e/sub",
    "append e/sub/y=deep\n",
    "append e/x=child\n",
  ],
  "rm -r /pfs/out/d; echo file > /pfs/out/d": ["delete d", "append d=file\n"],
  "rm /pfs/out/a; mkdir /pfs/out/a; echo in > /pfs/out/a/b": [
    "delete a",
    "mkdir a",
    "append a/b=in\n",
  ],
  "rm -r /pfs/out/d; mkdir /pfs/out/d; echo x > /pfs/out/d/x": ["delete d/sub", "replace d/x=x\n"],
  "mkdir /pfs/out/n /pfs/out/d/n": ["mkdir d/n", "mkdir n"],
  "touch /pfs/out/n": ["append n="],
  "ln -s a /pfs/out/l; ln -s /pfs/out/d/x /pfs/out/m": ["append l=parent\n", "append m=child\n"],
  "rm /pfs/out/a; ln -s d/x /pfs/out/a": ["replace a=child\n"],
  "ln -s d /pfs/out/l": ["mkdir l", "mkdir l/sub", "append l/sub/y=deep\n", "append l/x=child\n"],
  "ln /pfs/out/a /pfs/out/h": ["append h=parent\n"],
  "echo more >> /pfs/out/long": ["append long=more\n"],
  "printf X | dd of=/pfs/out/long conv=notrunc seek=599999 bs=1 2>/dev/null": [
    `replace long=${long.slice(0, -1)}X`,
  ],
  "rm -r /pfs/out/*; echo a.b > /pfs/out/d.x": [
    "delete a",
    "delete d",
    "delete long",
    "append d.x=a.b\n",
  ],
};

const withoutParent: Record<string, readonly string[]> = {
  true: [],
  "echo a > /pfs/out/a; echo b >> /pfs/out/a": ["append a=a\nb\n"],
  "mkdir -p /pfs/out/x/y; touch /pfs/out/x/y/z; echo 1 > /pfs/out/x.1": [
    "mkdir x",
    "mkdir x/y",
    "append x/y/z=",
    "append x.1=1\n",
  ],
  "touch /pfs/out/t; rm /pfs/out/t": [],
  "echo é > /pfs/out/é": ["append é=é\n"],
  "su -s /bin/sh nobody -c 'echo n > /pfs/out/n' 2>/dev/null || echo n > /pfs/out/n": [
    "append n=n\n",
  ],
  "[ -e /pfs/prev ] || echo none > /pfs/out/prev": ["append prev=none\n"],
};

describe("collectOutput()", { skip: probe.works ? false : probe.reason, concurrency: 4 }, () => {
  let bench: WorkerBench;
  before(async () => (bench = await openWorkerBench()));
  after(async () => await bench.close());
  const changes = async (script: string, parent?: Record<string, string>): Promise<string[]> => {
    const view = parent === undefined ? {} : { parentOutput: bench.host.addView(parent) };
    const attempt = await bench.sh(script, view);
    assert.equal(attempt.outcome?.kind, "success", attempt.log);
    return (attempt.changes ?? []).map(({ kind, path, content }) =>
      kind === "append" || kind === "replace" ? `${kind} ${path}=${content}` : `${kind} ${path}`,
    );
  };
  const parent = { a: "parent\n", "d/x": "child\n", "d/sub/y": "deep\n", long };

  for (const [script, expected] of Object.entries(withParent)) {
    it(`sees what a command did to inherited files by: ${script}`, async () => {
      assert.deepEqual(await changes(script, parent), expected);
    });
  }
  for (const [script, expected] of Object.entries(withoutParent)) {
    it(`sees what a command wrote without a parent by: ${script}`, async () => {
      assert.deepEqual(await changes(script), expected);
    });
  }
  it("gives the output of a chain of jobs", async () => {
    let view = bench.host.addView({});
    for (const script of [
      "echo 1 >> /pfs/out/log; echo 1 > /pfs/out/last",
      "echo 2 >> /pfs/out/log; echo 2 > /pfs/out/last",
      "cat /pfs/prev/log >> /pfs/out/log",
    ]) {
      const { task } = await bench.sh(script, { parentOutput: view });
      view = bench.host.publish(task);
    }
    assert.deepEqual(bench.host.show(view), { last: "2\n", log: "1\n2\n1\n2\n" });
  });
});
