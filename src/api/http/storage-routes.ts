import { z } from "zod";
import { WholeStore, type PfsDeps } from "../../pfs/index.ts";
import { OneAtATime } from "./one-at-a-time.ts";
import { principalOf, signalOf } from "./request-context.ts";
import { json, type RestRoutes } from "./route.ts";
import { commitInfo, count } from "./shapes.ts";

const storageUse = z
  .strictObject({
    logicalBytes: count.describe(
      "Of a repo what its commits have put, of a commit what it shows: equal content counts each time.",
    ),
    uniqueBytes: count.describe("Chunks that nothing else refers to, each once."),
    sharedBytes: count.describe("Chunks that something else refers to as well, each once."),
    storedBytes: count.describe("What both take in the object store, compressed."),
    uniqueStoredBytes: count.describe("What of that goes when this alone is deleted."),
  })
  .meta({
    id: "StorageUse",
    examples: [
      {
        logicalBytes: 6,
        uniqueBytes: 6,
        sharedBytes: 0,
        storedBytes: 6,
        uniqueStoredBytes: 6,
      },
    ],
  });

const { storedBytes: _unused, ...useFields } = storageUse.shape;
const commitUses = z.strictObject({
  commits: z.array(z.strictObject({ commit: commitInfo, ...useFields }).meta({ id: "CommitUse" })),
});

const text = "Reads the trees of all commits there are, in bounded memory: one goes on at a time.";
const errors = ["not_found", "failed_precondition"] as const;

/** What repos and commits take. */
export function registerStorageRoutes(routes: RestRoutes, pfs: PfsDeps): void {
  const store = new WholeStore(pfs);
  const turns = new OneAtATime(
    "Cannot tell what is stored: somebody else is being told. Wait until that has ended",
  );
  routes.add(
    {
      method: "GET",
      path: "/repos/{repo}/storage",
      noun: "repos",
      summary: "Tells what a repo takes in the store.",
      text,
      answer: json(storageUse, "Bytes of its content."),
      errors,
    },
    async ({ request, reply, params }) => {
      const leave = turns.enter();
      try {
        return await store.weighRepo(principalOf(request), params.repo, signalOf(reply));
      } finally {
        leave();
      }
    },
  );
  routes.add(
    {
      method: "GET",
      path: "/repos/{repo}/storage/commits",
      noun: "repos",
      summary: "Tells what each commit of a repo takes in the store.",
      text,
      answer: json(commitUses, "All commits, open and cancelled ones too."),
      errors,
    },
    async ({ request, reply, params }) => {
      const leave = turns.enter();
      try {
        const { repo } = params;
        return { commits: await store.weighCommits(principalOf(request), repo, signalOf(reply)) };
      } finally {
        leave();
      }
    },
  );
  routes.add(
    {
      method: "GET",
      path: "/repos/{repo}/commits/{commit}/storage",
      noun: "commits",
      summary: "Tells what a commit takes in the store.",
      text,
      answer: json(storageUse, "Bytes of its content."),
      errors,
    },
    async ({ request, reply, params: { repo, commit: id } }) => {
      const leave = turns.enter();
      try {
        return await store.weighCommit(principalOf(request), { repo, id }, signalOf(reply));
      } finally {
        leave();
      }
    },
  );
}
