import { z } from "zod";
import {
  cancelCommit,
  finishCommit,
  inspectCommit,
  revertCommit,
  startCommit,
  type PfsDeps,
} from "../../pfs/index.ts";
import { countOr } from "./json-body.ts";
import { principalOf, signalOf } from "./request-context.ts";
import { json, jsonBody, type RestRoutes } from "./route.ts";
import { commitInfo, commitName } from "./shapes.ts";

const newCommit = z
  .strictObject({
    parent: z
      .string()
      .describe("A branch: its newest commit, or a new branch; or `branch/N`.")
      .meta({ minLength: 1 }),
    provenance: z.array(commitName).default([]).describe("Commits that it is made from."),
  })
  .meta({ examples: [{ parent: "master" }] });
const revertBody = z
  .strictObject({ commit: z.string().describe("Of the same repo.") })
  .meta({ examples: [{ commit: "master/0" }] });
const dayMs = 24 * 3_600_000;
/** A caller that gives no time waits as long as it takes. */
const waitQuery = z.strictObject({
  waitMs: countOr(dayMs).describe("How long to wait for an open parent."),
});
/** Commits from start to finish. */
export function registerCommitRoutes(routes: RestRoutes, pfs: PfsDeps): void {
  routes.add(
    {
      method: "POST",
      path: "/repos/{repo}/commits",
      noun: "commits",
      summary: "Starts a commit.",
      text: "It takes writes until it is finished.",
      body: jsonBody(newCommit, "Where it begins."),
      answer: json(commitInfo, "The commit.", 201),
      errors: ["not_found", "failed_precondition"],
      isKeyed: true,
    },
    async ({ request, params, body, key }) =>
      await startCommit(pfs, principalOf(request), { repo: params.repo, ...body, ...key }),
  );
  routes.add(
    {
      method: "GET",
      path: "/repos/{repo}/commits/{commit}",
      noun: "commits",
      summary: "Shows a commit.",
      answer: json(commitInfo, "The commit; of an open one, the size so far."),
      errors: ["not_found"],
    },
    async ({ request, params }) => await inspectCommit(pfs, principalOf(request), nameOf(params)),
  );
  registerCommitEnds(routes, pfs);
}

/** What makes a commit a result, or none. */
function registerCommitEnds(routes: RestRoutes, pfs: PfsDeps): void {
  routes.add(
    {
      method: "POST",
      path: "/repos/{repo}/commits/{commit}/finish",
      noun: "commits",
      summary: "Finishes a commit: from here on its files never change.",
      text: "Waits until its parent has finished. Finishing a finished commit does nothing.",
      query: waitQuery,
      answer: json(
        commitInfo,
        "The finished commit, or a cancelled one when its parent was cancelled.",
      ),
      errors: ["not_found", "failed_precondition"],
    },
    async ({ request, reply, params, query }) =>
      await finishCommit(pfs, principalOf(request), {
        commit: nameOf(params),
        waitMs: query.waitMs,
        signal: signalOf(reply),
      }),
  );
  routes.add(
    {
      method: "POST",
      path: "/repos/{repo}/commits/{commit}/cancel",
      noun: "commits",
      summary: "Ends an open commit without making it a result.",
      answer: json(commitInfo, "The cancelled commit; it stays readable by its id."),
      errors: ["not_found", "failed_precondition"],
    },
    async ({ request, params }) => await cancelCommit(pfs, principalOf(request), nameOf(params)),
  );
  routes.add(
    {
      method: "POST",
      path: "/repos/{repo}/branches/{branch}/revert",
      noun: "commits",
      summary: "Makes a new head of a branch with the files of an earlier commit.",
      body: jsonBody(revertBody, "Which commit."),
      answer: json(commitInfo, "The new head.", 201),
      errors: ["not_found", "failed_precondition"],
      isKeyed: true,
    },
    async ({ request, reply, params, body, key }) => {
      const { repo, branch } = params;
      const to = { repo, id: body.commit };
      const revert = { repo, branch, to, ...key, signal: signalOf(reply) };
      return await revertCommit(pfs, principalOf(request), revert);
    },
  );
}

function nameOf(params: { repo: string; commit: string }): { repo: string; id: string } {
  return { repo: params.repo, id: params.commit };
}
