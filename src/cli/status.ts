import { defaultAddress } from "../client/index.ts";
import type { JobInfo } from "../model/job.ts";
import type { Context } from "./context.ts";
import { ago } from "./human-time.ts";
import { printList } from "./listing.ts";
import { jobListing } from "./show-job.ts";
import { repoListing } from "./show-repo.ts";

/** What `pachctl` alone prints: the repos, the jobs that run, the last failure, what to type next. */
export async function showStatus(context: Context): Promise<void> {
  const client = await context.client();
  const [version, repos, jobs] = await Promise.all([
    client.version(),
    client.repos.list(),
    client.jobs.list(),
  ]);
  context.print(`pachd ${version} at ${context.deps.address ?? defaultAddress}\n\n`);
  if (repos.length === 0)
    context.print('There are no repos yet: "pachctl create-repo data" makes one.\n');
  else printList(context, repos, { ...repoListing, raw: false });
  const running = jobs.filter(({ state }) => state === "creating" || state === "running");
  if (running.length > 0) {
    context.print(`\nRunning jobs:\n`);
    printList(context, running, { ...jobListing, raw: false });
  }
  context.print(`${failureText(jobs, context)}\n"pachctl help" lists the commands.\n`);
}

/** Jobs come newest first. */
function failureText(jobs: readonly JobInfo[], { deps }: Context): string {
  const failed = jobs.find(({ state }) => state === "failure");
  if (failed === undefined) return "";
  const { id, pipeline, error = "it says nothing", startedMicros, finishedMicros } = failed;
  const when = ago(finishedMicros ?? startedMicros, deps.clock.nowMicros());
  const [line = ""] = error.split("\n", 1);
  return `\nLast failure: job ${id} of pipeline ${pipeline}, ${when}: ${line}\n"pachctl get-logs ${id}" shows what it printed.\n`;
}
