import { z } from "zod";
import {
  archiveCommits,
  replayCommits,
  squashCommits,
  startCommit,
  type PfsDeps,
} from "../../pfs/index.ts";
import { principalOf, signalOf } from "./request-context.ts";
import { json, jsonBody, nothing, type RestRoutes } from "./route.ts";
import { commitInfo, commitName } from "./shapes.ts";

const forkBody = z
  .strictObject({
    parent: z.string().describe("A branch or `branch/N`."),
    provenance: z.array(commitName).default([]).describe("Commits that it is made from."),
  })
  .meta({ examples: [{ parent: "master" }] });
const fromBody = z
  .strictObject({ from: z.array(z.string()).describe("Commits of the same repo.") })
  .meta({ examples: [{ from: ["feature/0", "feature/1"] }] });
const archiveBody = z
  .strictObject({
    commits: z.array(commitName).describe("Each `branch/N`; unknown ones are ignored."),
  })
  .meta({ examples: [{ commits: [{ repo: "data", id: "master/0" }] }] });

/** Commits made of other commits, and commits put away. */
export function registerRewriteRoutes(routes: RestRoutes, pfs: PfsDeps): void {
  routes.add(
    {
      method: "POST",
      path: "/repos/{repo}/branches/{branch}/fork",
      noun: "commits",
      summary: "Starts a commit that begins a new branch.",
      body: jsonBody(forkBody, "What it continues."),
      answer: json(commitInfo, "The commit.", 201),
      errors: ["not_found", "already_exists", "failed_precondition"],
      isKeyed: true,
    },
    async ({ request, params, body, key }) => {
      const { repo, branch } = params;
      return await startCommit(pfs, principalOf(request), { repo, fork: branch, ...body, ...key });
    },
  );
  routes.add(
    {
      method: "POST",
      path: "/repos/{repo}/commits/{commit}/squash",
      noun: "commits",
      summary: "Writes into an open commit what others have and it has not.",
      text: "Does not finish it.",
      body: jsonBody(fromBody, "The others."),
      answer: nothing("It is written."),
      errors: ["not_found", "failed_precondition"],
      isKeyed: true,
    },
    async ({ request, params: { repo, commit }, body, key }) => {
      const from = body.from.map((id) => ({ repo, id }));
      await squashCommits(pfs, principalOf(request), { from, to: { repo, id: commit }, ...key });
    },
  );
  routes.add(
    {
      method: "POST",
      path: "/repos/{repo}/branches/{branch}/replay",
      noun: "commits",
      summary: "Copies commits, with what the branch lacks of their history, onto a branch.",
      body: jsonBody(fromBody, "Finished commits."),
      answer: json(z.strictObject({ commits: z.array(commitInfo) }), "The copies, finished.", 201),
      errors: ["not_found", "failed_precondition"],
      isKeyed: true,
    },
    async ({ request, reply, params: { repo, branch }, body, key }) => {
      const from = body.from.map((id) => ({ repo, id }));
      const replay = { from, branch, ...key, signal: signalOf(reply) };
      return { commits: await replayCommits(pfs, principalOf(request), replay) };
    },
  );
  registerArchiveRoutes(routes, pfs);
}

function registerArchiveRoutes(routes: RestRoutes, pfs: PfsDeps): void {
  routes.add(
    {
      method: "POST",
      path: "/archive",
      noun: "commits",
      summary: "Hides commits, and all that was made from them, from lists and from flush.",
      body: jsonBody(archiveBody, "Which commits."),
      answer: nothing("They are hidden."),
    },
    async ({ request, body }) => await archiveCommits(pfs, principalOf(request), body.commits),
  );
  routes.add(
    {
      method: "POST",
      path: "/archive-all",
      noun: "commits",
      summary: "Hides every commit there is.",
      answer: nothing("They are hidden."),
    },
    async ({ request }) => await archiveCommits(pfs, principalOf(request), "all"),
  );
}
