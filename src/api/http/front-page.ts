import { z } from "zod";
import { bytes, json, type RestRoutes } from "./route.ts";

/** `GET /` tells a person what this is and what to type next; `GET /healthz` tells a machine that it lives. */
export function registerFrontPage(routes: RestRoutes, version: string): void {
  routes.add(
    {
      method: "GET",
      path: "/",
      noun: "daemon",
      summary: "Tells a person what to type next.",
      answer: bytes("text/plain; charset=utf-8", "A page of text."),
    },
    async ({ request, reply }) => {
      void reply.type("text/plain; charset=utf-8");
      return await reply.send(frontPage(version, request.headers.host ?? "127.0.0.1:30650"));
    },
  );
  routes.add(
    {
      method: "GET",
      path: "/healthz",
      noun: "daemon",
      summary: "Answers while the daemon takes requests.",
      answer: json(
        z
          .strictObject({ status: z.literal("ok"), version: z.string() })
          .meta({ examples: [{ status: "ok", version: "0.1.0" }] }),
        "It does.",
      ),
    },
    () => ({ status: "ok" as const, version }),
  );
}

function frontPage(version: string, host: string): string {
  const base = `http://${host}/api/v1`;
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
    `All there is: ${base}/openapi.json`,
    "",
  ].join("\n");
}
