import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Log } from "../../base/log.ts";
import type { ClassicDeps } from "../../classic/index.ts";
import type { PfsDeps } from "../../pfs/index.ts";
import { answerErrorText } from "../http/error-answer.ts";
import { registerCurlJobs } from "./curl-jobs.ts";
import { registerCurlFiles } from "./curl-files.ts";
import { registerCurlHistory } from "./curl-history.ts";

/** What the curl API stands on. */
export interface CurlDeps {
  readonly pfs: PfsDeps;
  /** The one repo that it knows; made by the first write. */
  readonly repo: string;
  readonly classic: ClassicDeps;
}

/**
 * The API of pfs 0.4, for curl: files, commits, branches and jobs of one repo, errors as text. See
 * docs/reference/curl.md. The scope must have no other routes.
 */
export function registerCurlDoor(scope: FastifyInstance, deps: CurlDeps & { log: Log }): void {
  scope.setErrorHandler((error, request, reply) =>
    answerErrorText(error, request, reply, deps.log),
  );
  // Any body is bytes, whatever it is called; a name that is none would be refused before that.
  scope.addHook("onRequest", async (request) => {
    await Promise.resolve();
    delete request.headers["content-type"];
  });
  scope.get("/ping", () => "pong\n");
  registerCurlFiles(scope, deps);
  registerCurlHistory(scope, deps);
  registerCurlJobs(scope, deps);
  refuseOtherMethods(scope, "/ping", ["GET", "HEAD"]);
  refuseOtherMethods(scope, "/commit", ["GET", "HEAD", "POST"]);
  refuseOtherMethods(scope, "/branch", ["GET", "HEAD", "POST"]);
  refuseOtherMethods(scope, "/file/*", ["GET", "HEAD", "POST", "PUT", "DELETE"]);
  refuseOtherMethods(scope, "/job/:name", ["GET", "HEAD", "POST", "DELETE"]);
  for (const url of ["/job/:name/file", "/job/:name/file/*", "/run", "/run/:id", "/run/:id/log"])
    refuseOtherMethods(scope, url, ["GET", "HEAD"]);
}

/** Whether a URL, without its host, is of this API. */
export function isCurlPath(url: string): boolean {
  return /^\/(?:(?:file|job|run)\/|(?:commit|branch|ping|run)(?:\?|$))/.test(url);
}

function refuseOtherMethods(scope: FastifyInstance, url: string, known: readonly string[]): void {
  const allow = known.join(", ");
  const method = scope.supportedMethods.filter((name) => !known.includes(name));
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const path = url.replace(":name", "NAME").replace(":id", "ID");
    const text = `Invalid method ${request.method} for ${path}: it takes ${allow}\n`;
    await reply.code(405).header("allow", allow).send(text);
  };
  scope.route({ method, url, handler });
}
