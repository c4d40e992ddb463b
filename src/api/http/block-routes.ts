import { z } from "zod";
import { Blocks, type PfsDeps } from "../../pfs/index.ts";
import { principalOf, signalOf } from "./request-context.ts";
import { bytes, bytesBody, json, nothing, type RestRoutes } from "./route.ts";
import { sendFile } from "./send-file.ts";
import { blockInfo } from "./shapes.ts";
import { wholeBody } from "./whole-body.ts";

const putQuery = z.strictObject({
  delimiter: z
    .enum(["line", "json", "binary"])
    .default("line")
    .describe("Where records end: a block ends with one."),
});
const put = z
  .strictObject({ id: blockInfo.shape.id, bytes: blockInfo.shape.bytes })
  .meta({ id: "PutBlock" });

/** Blocks that belong to no file: what `pfs.BlockAPI` of the 1.2 series does. */
export function registerBlockRoutes(routes: RestRoutes, pfs: PfsDeps): void {
  const blocks = new Blocks(pfs);
  routes.add(
    {
      method: "POST",
      path: "/blocks",
      noun: "blocks",
      summary: "Stores bytes as blocks that belong to no file.",
      text: "They stay until they are deleted.",
      query: putQuery,
      body: bytesBody("application/octet-stream", "The bytes; of any Content-Type."),
      answer: json(z.strictObject({ blocks: z.array(put) }), "The blocks, in order.", 201),
    },
    async ({ request, reply, query }) => {
      const body = await wholeBody(request);
      const content = Buffer.isBuffer(body) ? once(body) : body;
      const input = { content, format: query.delimiter, signal: signalOf(reply) };
      return { blocks: await blocks.put(principalOf(request), input) };
    },
  );
  routes.add(
    {
      method: "GET",
      path: "/blocks/{block}",
      noun: "blocks",
      summary: "Reads a block.",
      answer: bytes("application/octet-stream", "The bytes."),
      otherwise: [bytes("application/octet-stream", "The bytes of the range.", 206)],
      errors: ["not_found", "out_of_range"],
      isRanged: true,
    },
    async ({ params, request, reply }) => {
      const block = await blocks.open(principalOf(request), params.block);
      return await sendFile({ ...block, digest: block.id }, request, reply);
    },
  );
  routes.add(
    {
      method: "GET",
      path: "/blocks/{block}/info",
      noun: "blocks",
      summary: "Shows a block.",
      answer: json(blockInfo, "The block."),
      errors: ["not_found"],
    },
    async ({ params, request }) => {
      const {
        id,
        bytes: length,
        createdMicros,
      } = await blocks.open(principalOf(request), params.block);
      return { id, bytes: length, createdMicros };
    },
  );
  routes.add(
    {
      method: "DELETE",
      path: "/blocks/{block}",
      noun: "blocks",
      summary: "Deletes a block.",
      answer: nothing("It is deleted."),
      errors: ["not_found"],
    },
    async ({ params, request }) => {
      await blocks.delete(principalOf(request), params.block);
    },
  );
}

async function* once(body: Buffer): AsyncGenerator<Buffer, void, void> {
  yield body;
}
