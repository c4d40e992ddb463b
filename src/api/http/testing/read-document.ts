import { fastify } from "fastify";
import { silentLog } from "../../../base/log.ts";
import { TestPps } from "../../../pps/testing/open-test-pps.ts";
import { defaultLimits } from "../../limits.ts";
import { registerRoutes } from "../register-routes.ts";

/** The OpenAPI document as a daemon answers it, and what its server has registered: `GET /healthz`. */
export async function readDocument(): Promise<{ text: string; registered: readonly string[] }> {
  const pps = new TestPps(1);
  const server = fastify();
  const registered: string[] = [];
  server.addHook("onRoute", ({ method, url }) => {
    for (const one of [method].flat()) registered.push(`${one} ${url}`);
  });
  try {
    await registerRoutes(server, {
      pps: pps.deps,
      log: silentLog,
      version: "test",
      host: "127.0.0.1",
      allowedHosts: [],
      token: undefined,
      openBucket: async () => await Promise.reject(new Error("there are no buckets")),
      stopping: new AbortController().signal,
      limits: defaultLimits,
      curlRepo: "data",
    });
    const answer = await server.inject({ method: "GET", url: "/api/v1/openapi.json" });
    return { text: answer.body, registered };
  } finally {
    await server.close();
    await pps.close();
  }
}
