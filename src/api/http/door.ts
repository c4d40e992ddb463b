import type { FastifyInstance, FastifyRequest } from "fastify";
import { CodedError } from "../../base/errors.ts";
import { requireToken } from "../bearer-token.ts";

export interface DoorOptions {
  readonly host: string;
  /** Names besides the bound address by which requests may call this daemon. */
  readonly allowedHosts: readonly string[];
  /** Every request must carry it as a bearer token; undefined asks for none. */
  readonly token: string | undefined;
}

const loopbackNames = ["localhost", "127.0.0.1", "[::1]", "::1", "0.0.0.0"];

/**
 * Nobody gets in by accident. Any web page can send requests to a loopback port, and a name that
 * resolves to it can read the answers; a pipeline runs code. So a request with an Origin, from
 * another site, or to a host name that is not ours is refused.
 */
export function registerDoor(server: FastifyInstance, options: DoorOptions): void {
  const hosts = new Set(
    [...loopbackNames, options.host, ...options.allowedHosts].map((name) => name.toLowerCase()),
  );
  server.addHook("onRequest", async (request) => {
    await Promise.resolve();
    refuseForeignPage(request, hosts);
    requireToken(request.headers.authorization, options.token);
  });
}

function refuseForeignPage(request: FastifyRequest, hosts: ReadonlySet<string>): void {
  const host = hostName(request.headers.host ?? "");
  if (!hosts.has(host))
    throw refused(
      `Host "${host}" is not a name of this daemon. Use its address, or start pachd with --allow-host ${host}`,
    );
  const origin = request.headers.origin;
  if (origin !== undefined && !isOwnOrigin(origin, request.headers.host ?? "")) {
    throw refused(`it comes from a web page (Origin "${origin}"). Use pachctl, curl or a program`);
  }
  const site = request.headers["sec-fetch-site"];
  if (site === "cross-site" || site === "same-site")
    throw refused(
      `a browser sent it from another site (Sec-Fetch-Site: ${site}). Use pachctl, curl or a program`,
    );
}

function isOwnOrigin(origin: string, host: string): boolean {
  return origin === `http://${host}`;
}

function hostName(host: string): string {
  const withoutPort = host.startsWith("[")
    ? host.slice(0, host.indexOf("]") + 1)
    : host.replace(/:\d+$/, "");
  return withoutPort.toLowerCase();
}

function refused(reason: string): CodedError {
  return new CodedError("permission_denied", `This request is refused: ${reason}`);
}
