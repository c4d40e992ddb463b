import { z } from "zod";
import { openApiOf } from "./openapi.ts";
import { json, type RestRoutes } from "./route.ts";

/** What the daemon says about itself. */
export function registerDocumentRoutes(routes: RestRoutes, version: string): void {
  routes.add(
    {
      method: "GET",
      path: "/version",
      noun: "daemon",
      summary: "Says which release this is.",
      answer: json(
        z.strictObject({ version: z.string() }).meta({ examples: [{ version: "0.1.0" }] }),
        "The release.",
      ),
    },
    () => ({ version }),
  );
  // Made when it is first asked for: most daemons never are.
  let document: object | undefined;
  routes.add(
    {
      method: "GET",
      path: "/openapi.json",
      noun: "daemon",
      summary: "Describes all routes for programs (OpenAPI 3.1).",
      answer: json(
        z.looseObject({ openapi: z.literal("3.1.0") }).meta({ examples: [{ openapi: "3.1.0" }] }),
        "The document.",
      ),
    },
    () => (document ??= openApiOf(routes.described, version)) as { openapi: "3.1.0" },
  );
}
