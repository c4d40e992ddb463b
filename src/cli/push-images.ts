import type { Command } from "commander";
import type { Context } from "./context.ts";

export interface PushFlags {
  readonly pushImages?: boolean;
  readonly registry: string;
  readonly username?: string;
  readonly password?: string;
}

/** Adds the flags that have images of this machine pushed to a registry. */
export function pushOptions(command: Command): Command {
  return command
    .option(
      "-p, --push-images",
      "push the images of the spec from here to a registry, and use those",
    )
    .option("-r, --registry <registry>", "the registry to push to", "docker.io")
    .option("-u, --username <name>", "whose image it becomes there (default: your user name here)")
    .option("--password <password>", "of that user; else what docker login has saved is used");
}

/** The documents as they are, or with their images pushed and named as they are in the registry. */
export async function withPushedImages(
  documents: readonly object[],
  { pushImages = false, ...target }: PushFlags,
  context: Context,
): Promise<object[]> {
  if (!pushImages) return [...documents];
  const machine = await context.deps.machine();
  const pushed = new Map<string, string>();
  for (const image of documents.map(imageOf)) {
    if (image === "" || pushed.has(image)) continue;
    context.note(`Pushing ${image}, this may take a while.`);
    pushed.set(image, await machine.pushImage({ ...target, image }, context.signal));
    context.note(`Pushed ${image} as ${pushed.get(image)}`);
  }
  return documents.map((document) => {
    const image = pushed.get(imageOf(document));
    if (image === undefined) return document;
    const { transform } = document as { transform: object };
    return { ...document, transform: { ...transform, image } };
  });
}

/** Of a document that was found to be a spec. */
function imageOf(document: object): string {
  const { transform } = document as { transform?: { image?: unknown } };
  return typeof transform?.image === "string" ? transform.image : "";
}
