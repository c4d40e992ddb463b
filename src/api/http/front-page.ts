import type { FastifyInstance } from "fastify";

/** `GET /` tells a person what this is and what to type next; `GET /healthz` tells a machine that it lives. */
export function registerFrontPage(server: FastifyInstance, version: string): void {
  server.get("/healthz", () => ({ status: "ok", version }));
  server.get("/", (request, reply) => {
    const base = `http://${request.headers.host ?? "127.0.0.1:30650"}/api/v1`;
    void reply.type("text/plain; charset=utf-8");
    return [
      `Mammoth ${version}: git for data, with pipelines.`,
      "",
      "Next steps:",
      "  pachctl create-repo data",
      "  echo hello | pachctl put-file data master greeting -c",
      "  pachctl get-file data master greeting",
      "",
      "The same with curl:",
      `  curl -X POST ${base}/repos -d '{"name": "data"}'`,
      `  echo hello | curl --data-binary @- ${base}/repos/data/branches/master/files/greeting`,
      `  curl ${base}/repos/data/commits/master/files/greeting`,
      "",
    ].join("\n");
  });
}
