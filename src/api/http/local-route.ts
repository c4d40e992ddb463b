import { z } from "zod";
import type { LocalDoor } from "./local-door.ts";
import { json, type RestRoutes } from "./route.ts";

const localAnswer = z
  .strictObject({
    view: z
      .string()
      .optional()
      .describe("Which files paths lead to here: a client compares it with its own."),
    secretFile: z
      .string()
      .optional()
      .describe(
        "Where the secret is by which a client proves that it may read what the daemon may.",
      ),
  })
  .meta({
    id: "LocalDoor",
    examples: [{ view: "mnt:[4026531841] 65024:2", secretFile: "/var/lib/mammoth/local-secret" }],
  });
/** What a client has to know to name files of the daemon's machine instead of sending them. */
export function registerLocalRoute(routes: RestRoutes, door: LocalDoor | undefined): void {
  routes.add(
    {
      method: "GET",
      path: "/local",
      noun: "daemon",
      summary: "How a client on the daemon's machine can name files instead of sending them.",
      answer: json(
        localAnswer,
        "Where the secret is; nothing where the daemon reads no files for clients.",
      ),
    },
    () => (door === undefined ? {} : { view: door.view, secretFile: door.secretFile }),
  );
}
