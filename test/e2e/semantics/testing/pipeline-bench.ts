import type { TestContext } from "node:test";
import type { CommitInfo, CommitName } from "../../../../src/model/commit.ts";
import type { JobInfo } from "../../../../src/model/job.ts";
import { openClient, type Client } from "../../../../src/client/index.ts";
import { openTestDaemon, type TestDaemon } from "../../testing/daemon.ts";

/** Files by path; `null` is a directory. */
export type Files = Record<string, string | null>;

/** A real daemon and a client of it, with short names for what tests of pipelines do all the time. */
export class PipelineBench {
  readonly daemon: TestDaemon;
  readonly client: Client;

  constructor(daemon: TestDaemon) {
    this.daemon = daemon;
    this.client = openClient({ address: daemon.address });
  }

  /** Makes a pipeline that runs a shell script. */
  async shell(
    name: string,
    method: unknown,
    script: string,
    { repo = "data", constant = 1, transform = {} } = {},
  ): Promise<void> {
    await this.client.pipelines.create({
      pipeline: { name },
      transform: { cmd: ["sh", "-e"], stdin: script.split("\n"), ...transform },
      parallelism_spec: { strategy: "CONSTANT", constant },
      inputs: [{ repo: { name: repo }, method }],
    });
  }

  /** Makes a finished commit on master. */
  async commit(repo: string, files: Record<string, string>): Promise<CommitInfo> {
    const commit = await this.client.commits.start(repo, "master");
    for (const [path, text] of Object.entries(files))
      await this.client.files.put(commit, path, text);
    return await this.client.commits.finish(commit);
  }

  /** The jobs of a pipeline, oldest first, all ended and at least `count`. */
  async jobs(pipeline: string, count = 1): Promise<JobInfo[]> {
    for (;;) {
      const jobs = [...(await this.client.jobs.list({ pipeline }))].reverse();
      if (jobs.length >= count)
        return await Promise.all(jobs.map(async ({ id }) => await this.client.jobs.wait(id)));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** What the n-th job of a pipeline left, from 0. */
  async output(pipeline: string, n: number): Promise<Files> {
    const job = (await this.jobs(pipeline, n + 1))[n]!;
    if (job.state !== "success") throw new Error(`${pipeline} ${n} ${job.state}: ${job.error}`);
    return await this.files(job.outputCommit!);
  }

  /** Everything in a commit. */
  async files(commit: CommitName): Promise<Files> {
    const files: Files = {};
    for await (const { path, type } of this.client.files.list(commit, "", { recurse: true }))
      files[path] = type === "dir" ? null : await textOf(await this.client.files.get(commit, path));
    return files;
  }

  /** The log of a job. */
  async log(job: JobInfo): Promise<string> {
    return await textOf(await this.client.jobs.logs(job.id));
  }
}

async function textOf(parts: AsyncIterable<Buffer>): Promise<string> {
  const all: Buffer[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all).toString();
}

/** Opens a daemon and a bench on it for one test. */
export async function openPipelineBench(t: TestContext): Promise<PipelineBench> {
  const bench = new PipelineBench(await openTestDaemon(t));
  t.after(() => {
    bench.client.close();
  });
  return bench;
}
