import { z } from "zod";
import { repoNameMax } from "../../model/repo.ts";
import {
  createRepo,
  deleteRepo,
  inspectRepo,
  listBranches,
  listRepos,
  type PfsDeps,
} from "../../pfs/index.ts";
import { flag, manyTexts } from "./json-body.ts";
import { principalOf } from "./request-context.ts";
import { json, jsonBody, nothing, type RestRoutes } from "./route.ts";
import { repoInfo } from "./shapes.ts";

const newRepo = z
  .strictObject({
    name: z
      .string()
      .describe("Letters, digits and `_`.")
      .meta({ pattern: "^[a-zA-Z0-9_]+$", maxLength: repoNameMax }),
    provenance: z.array(z.string()).default([]).describe("Repos that it is made from."),
  })
  .meta({ examples: [{ name: "data" }] });

/** Repos and their branches. */
export function registerRepoRoutes(routes: RestRoutes, pfs: PfsDeps): void {
  registerRepoChanges(routes, pfs);
  registerRepoLists(routes, pfs);
}

function registerRepoChanges(routes: RestRoutes, pfs: PfsDeps): void {
  routes.add(
    {
      method: "POST",
      path: "/repos",
      noun: "repos",
      summary: "Makes a repo.",
      body: jsonBody(newRepo, "The repo."),
      answer: json(repoInfo, "The repo.", 201),
      errors: ["not_found", "already_exists"],
      isKeyed: true,
    },
    async ({ request, body, key }) =>
      await createRepo(pfs, principalOf(request), { ...body, ...key }),
  );
  routes.add(
    {
      method: "DELETE",
      path: "/repos/{repo}",
      noun: "repos",
      summary: "Deletes a repo with its commits and files.",
      text: "One that does not exist is no error.",
      query: z.strictObject({ force: flag.describe("Also when other repos are made from it.") }),
      answer: nothing("It is deleted."),
      errors: ["failed_precondition"],
      isKeyed: true,
    },
    async ({ request, params, query, key }) => {
      const { force } = query;
      await deleteRepo(pfs, principalOf(request), { name: params.repo, force, ...key });
    },
  );
}

function registerRepoLists(routes: RestRoutes, pfs: PfsDeps): void {
  routes.add(
    {
      method: "GET",
      path: "/repos",
      noun: "repos",
      summary: "Lists repos by name.",
      query: z.strictObject({
        provenance: manyTexts.describe("Only repos made from all of these."),
      }),
      answer: json(z.strictObject({ repos: z.array(repoInfo) }), "The repos."),
    },
    async ({ request, query }) => ({
      repos: await listRepos(pfs, principalOf(request), query.provenance),
    }),
  );
  routes.add(
    {
      method: "GET",
      path: "/repos/{repo}",
      noun: "repos",
      summary: "Shows a repo.",
      answer: json(repoInfo, "The repo."),
      errors: ["not_found"],
    },
    async ({ request, params }) => await inspectRepo(pfs, principalOf(request), params.repo),
  );
  routes.add(
    {
      method: "GET",
      path: "/repos/{repo}/branches",
      noun: "repos",
      summary: "Lists the names of branches, sorted.",
      query: z.strictObject({
        status: z
          .enum(["NORMAL", "ALL"])
          .default("NORMAL")
          .describe("`ALL`: also those whose newest commit was cancelled or archived."),
      }),
      answer: json(
        z.strictObject({
          branches: z.array(z.string()).meta({ examples: [["master"]] }),
        }),
        "The names.",
      ),
      errors: ["not_found"],
    },
    async ({ request, params, query }) => ({
      branches: await listBranches(pfs, principalOf(request), {
        repo: params.repo,
        show: query.status === "ALL" ? "all" : "going on",
      }),
    }),
  );
}
