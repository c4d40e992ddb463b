import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { after, before, describe, it } from "node:test";
import { systemClock } from "../../base/clock.ts";
import { isCoded, type ErrorCode } from "../../base/errors.ts";
import { silentLog } from "../../base/log.ts";
import { systemRandom } from "../../base/random.ts";
import type { Runner, RunOutcome, RunSpec } from "../runner.ts";
import { openDockerRunner, type DockerRunnerOptions } from "./open-docker-runner.ts";
import { pushImage } from "./push-image.ts";
import { docker, images, makeImages, testDocker } from "./testing/test-docker.ts";
import { openTestRegistry, type TestRegistry } from "./testing/test-registry.ts";

const { address, skip } = testDocker;
const never = new AbortController().signal;

describe("images of Docker", { skip }, () => {
  let home: string;
  let runner: Runner;
  let registry: TestRegistry;
  const open = async (more: Partial<DockerRunnerOptions> = {}): Promise<Runner> =>
    await openDockerRunner({
      address,
      fs,
      random: systemRandom,
      clock: systemClock(),
      log: silentLog,
      scratch: `${home}/scratch`,
      machine: "images",
      user: undefined,
      ...more,
    });

  before(async () => {
    await makeImages("shell", "single", "shim", "python");
    home = await fs.mkdtemp(`${tmpdir()}/mammoth-images-`);
    for (const name of ["in", "out"]) await fs.mkdir(`${home}/${name}`);
    await fs.chmod(`${home}/out`, 0o777);
    await fs.writeFile(`${home}/in/words`, "b\na\n");
    runner = await open();
    registry = await openTestRegistry();
  });
  after(async () => {
    await runner.close();
    await registry.stop();
    await fs.rm(home, { recursive: true });
  });

  const run = async (
    image: string,
    cmd: readonly string[],
    more: Partial<RunSpec> = {},
    by = runner,
  ): Promise<{ outcome: RunOutcome; text: string; digest: string }> => {
    let text = "";
    let digest = "";
    const mounts = [
      { name: "words", hostPath: `${home}/in`, writable: false },
      { name: "out", hostPath: `${home}/out`, writable: true },
    ];
    const base = { id: "image", group: "images", env: {}, stdin: Buffer.alloc(0), hidden: [] };
    const spec = { ...base, image, cmd, mounts, ...more };
    const outcome = await by.run(spec, {
      signal: never,
      output: (piece) => void (text += Buffer.from(piece).toString()),
      imageResolved: (found) => (digest = found),
    });
    return { outcome, text, digest };
  };
  const done = { kind: "exited", exitCode: 0 };

  it("runs in an image that holds one program and no shell", async () => {
    const stdin = Buffer.from("from stdin\n");
    const { outcome, text } = await run(images.single, ["/cat", "/pfs/words/words", "-"], {
      stdin,
    });
    assert.deepEqual([outcome, text], [done, "b\na\nfrom stdin\n"]);
    const missing = await run(images.single, ["sh"]);
    assert.ok(missing.outcome.kind === "not_started");
    assert.match(
      missing.outcome.reason,
      /^cmd "sh" cannot be started in image mammoth-test\/single/,
    );
  });
  it("shows secrets to whom the command runs as, read-only", async () => {
    await fs.mkdir(`${home}/secret`, { recursive: true });
    await fs.writeFile(`${home}/secret/password`, "hunter2\n");
    const secrets = [{ path: "/secrets/db", hostPath: `${home}/secret` }];
    const { outcome, text } = await run(images.single, ["/cat", "/secrets/db/password"], {
      secrets,
      user: "1000:1000",
    });
    assert.deepEqual([outcome, text], [done, "hunter2\n"]);
    const next = await run(images.single, ["/cat", "/secrets/db/password"]);
    assert.notDeepEqual(next.outcome, done);
  });
  it("runs in an image with Python, and with what the image declares", async () => {
    const script = [
      "import os, sys",
      "words = sorted(open('/pfs/words/words').read().split())",
      "open('/pfs/out/sorted', 'w').write(' '.join(words))",
      "print(os.environ['GREETING'], sys.stdin.read(), file=sys.stderr)",
    ].join("\n");
    const stdin = Buffer.from("in");
    const { outcome, text } = await run(images.python, ["python3", "-c", script], { stdin });
    assert.deepEqual([outcome, text], [done, "hello in\n"]);
    assert.equal(await fs.readFile(`${home}/out/sorted`, "utf8"), "a b");
  });
  it("runs the command of the spec in place of the image's entry point", async () => {
    assert.equal((await run(images.shim, ["sh", "-c", "echo mine"])).text, "mine\n");
  });
  it("leaves output that the daemon can read and remove, whoever made it", async () => {
    for (const user of ["0", "1000:1000"]) {
      const script = "umask 077; mkdir /pfs/out/d; echo x > /pfs/out/d/f; chmod 0 /pfs/out/d/f";
      assert.deepEqual((await run(images.shell, ["sh", "-c", script], { user })).outcome, done);
      assert.equal(await fs.readFile(`${home}/out/d/f`, "utf8"), "x\n");
      await fs.rm(`${home}/out/d`, { recursive: true });
    }
  });
  it("gives a container that was changed to nobody else", async () => {
    const script = "cat /etc/mark 2>&1; echo x > /etc/mark; ls -a /tmp | wc -l; touch /tmp/x";
    for (let round = 0; round < 2; round++)
      assert.match((await run(images.shell, ["sh", "-c", script])).text, /No such file.*\n2\n/);
  });
  it("brings an image that was pushed, by tag and by digest, and says which it was", async () => {
    const repository = `${registry.host}/me/single`;
    await pushImage({ address, image: images.single, repository, tag: "t" }, never);
    const id = await docker("image", "inspect", "--format", "{{.Id}}", images.single);
    const names = await docker("image", "inspect", "--format", '{{join .RepoDigests " "}}', id);
    const byDigest = names.split(" ").find((name) => name.startsWith(repository)) ?? "";
    assert.match(byDigest, /@sha256:[0-9a-f]{64}$/);
    for (const name of [`${repository}:t`, byDigest]) {
      await docker("rmi", "--force", id);
      const { outcome, text, digest } = await run(name, ["/cat", "/pfs/words/words"]);
      assert.deepEqual([outcome, digest], [done, id]);
      assert.match(text, /^Pulling image .*\n(.*\n)*b\na\n$/);
    }
    await docker("tag", id, images.single);
  });
  it("brings an image from a registry that asks who we are, and only then", async () => {
    // Password "open sesame", by bcrypt.
    const guarded = await openTestRegistry(
      "ann:$2y$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n",
    );
    const repository = `${guarded.host}/me/single`;
    const login = { username: "ann", password: "open sesame" };
    const asked: string[] = [];
    const ann = await open({
      scratch: `${home}/ann`,
      loginOf: async (registry) => {
        asked.push(registry);
        return await Promise.resolve(login);
      },
    });
    try {
      const push = { address, image: images.single, repository, tag: "t" };
      await assert.rejects(pushImage(push, never), (error) => isCoded(error, "permission_denied"));
      await pushImage({ ...push, login }, never);
      await docker("rmi", `${repository}:t`);
      const cat = ["/cat", "/pfs/words/words"];
      await assert.rejects(run(`${repository}:t`, cat), (error) =>
        isCoded(error, "permission_denied"),
      );
      assert.deepEqual((await run(`${repository}:t`, cat, {}, ann)).outcome, done);
      assert.deepEqual(asked, [guarded.host]);
    } finally {
      await ann.close();
      await guarded.stop();
    }
  });
  it("fails with the registry's words for an image that there is not, at once", async () => {
    const name = `${registry.host}/me/nothing:1`;
    await assert.rejects(run(name, ["true"]), (error) => {
      return isCoded(error, "not_found") && /nothing:1.*manifest unknown/.test(error.message);
    });
  });
  it("tries again when a registry fails for now, and not when it refuses", async () => {
    const cases: readonly [number, number, ErrorCode][] = [
      [503, 3, "unavailable"],
      [401, 1, "permission_denied"],
    ];
    for (const [status, tries, code] of cases) {
      let asked = 0;
      const server = createServer((request, response) => {
        if (request.url?.includes("/manifests/") === true) asked++;
        const isProbe = request.url === "/v2/";
        response.writeHead(isProbe ? 200 : status).end("{}");
      });
      await once(server.listen(0, "127.0.0.1"), "listening");
      const { port } = server.address() as AddressInfo;
      await assert.rejects(run(`127.0.0.1:${port}/x:1`, ["true"]), (error) => isCoded(error, code));
      // Docker asks for a manifest in one way, and then in another.
      assert.ok(asked >= tries && (tries > 1 || asked <= 2), `${status}: ${asked}`);
      server.closeAllConnections();
      server.close();
    }
  });
  it("refuses to push without an image, or to no registry", async () => {
    const request = { address, repository: "127.0.0.1:1/me/x", tag: "t" };
    await assert.rejects(pushImage({ ...request, image: "no-such" }, never), (error) =>
      isCoded(error, "not_found"),
    );
    await assert.rejects(pushImage({ ...request, image: images.shell }, never), (error) =>
      isCoded(error, "unavailable"),
    );
  });
  it("removes the containers of a runner that is gone", async () => {
    const label = `mammoth.runner=images:${await fs.realpath(`${home}/scratch`)}`;
    const left = await docker("run", "--detach", "--label", label, images.shell, "sleep", "1000");
    const running = await docker("ps", "--quiet", "--no-trunc", "--filter", `label=${label}`);
    assert.ok(running.includes(left));
    await runner.close();
    runner = await open();
    assert.equal(await docker("ps", "--all", "--quiet", "--filter", `label=${label}`), "");
  });
});
