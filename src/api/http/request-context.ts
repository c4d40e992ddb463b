import type { FastifyReply, FastifyRequest } from "fastify";
import { CodedError } from "../../base/errors.ts";
import type { CommitName } from "../../model/commit.ts";
import { localPrincipal, type Principal } from "../../model/principal.ts";

/** On whose behalf a request is made. */
export function principalOf(_request: FastifyRequest): Principal {
  return localPrincipal;
}

/** Fires when the caller has gone away before the answer was sent. */
export function signalOf(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.on("close", () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** The Idempotency-Key of a request, scoped to its route so that one key never answers two questions. */
export function keyOf(request: FastifyRequest): { key?: string } {
  const key = request.headers["idempotency-key"];
  if (typeof key !== "string" || key === "") return {};
  if (key.length > 200)
    throw new CodedError(
      "invalid_argument",
      "Cannot use the Idempotency-Key: it has more than 200 characters",
    );
  return { key: `${request.method} ${request.url.split("?")[0]} ${key}` };
}

/** `repo/branch/N`, `repo/branch`, as queries name commits. */
export function commitNameOf(text: string): CommitName {
  const slash = text.indexOf("/");
  if (slash > 0 && slash < text.length - 1)
    return { repo: text.slice(0, slash), id: text.slice(slash + 1) };
  throw new CodedError(
    "invalid_argument",
    `Cannot read commit "${text}": write it as repo/commit, such as data/master/0`,
  );
}

/** Parameters of routes below a repo. */
export interface RepoParams {
  readonly repo: string;
}

/** Parameters of routes below a commit; `*` is a path. */
export interface CommitParams extends RepoParams {
  readonly commit: string;
  readonly "*"?: string;
}

/** Parameters of routes below a branch. */
export interface BranchParams extends RepoParams {
  readonly branch: string;
  readonly "*"?: string;
}
