import { localPrincipal } from "../../model/principal.ts";
import type { RestoreReport } from "../../model/extract-record.ts";
import { extract } from "../extract.ts";
import { restore } from "../restore.ts";
import { readParts, StreamSource } from "../../storage/index.ts";
import { listed, never, type TestPfs } from "./open-test-pfs.ts";

/** Repos as a stream; by default everything. */
export async function extracted(pfs: TestPfs, repos: string[] | null = null): Promise<Buffer> {
  const parts: Buffer[] = [];
  const options = { repos, release: "test", signal: never };
  for await (const part of extract(pfs.deps, localPrincipal, options))
    parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

/** What a stream says with its records changed, and without its content. */
export async function rewritten(
  pfs: TestPfs,
  stream: Buffer,
  change: (record: Record<string, unknown>) => Record<string, unknown>,
): Promise<Buffer> {
  const writer = pfs.deps.storage.bulk.openExtract();
  const { records } = await contentsOf(stream);
  const parts = [writer.begin()];
  for await (const part of writer.records(records.map(change))) parts.push(Buffer.from(part));
  return Buffer.concat([...parts, writer.end()]);
}

/** Restores a stream that comes in slices of so many bytes. */
export async function restored(
  pfs: TestPfs,
  stream: Buffer,
  { sliceBytes = 65_536, key = undefined as string | undefined } = {},
): Promise<RestoreReport> {
  const slices: Buffer[] = [];
  for (let at = 0; at < stream.length; at += sliceBytes)
    slices.push(stream.subarray(at, at + sliceBytes));
  const input = { stream: listed(slices), signal: never };
  return await restore(pfs.deps, localPrincipal, key === undefined ? input : { ...input, key });
}

/** What a stream says: its records, and the hashes of its chunks in the order in which they come. */
export async function contentsOf(
  stream: Buffer,
): Promise<{ records: Record<string, unknown>[]; chunks: string[] }> {
  const { openInlineCompute } = await import("../../storage/compute.ts");
  const compute = openInlineCompute();
  const records: Record<string, unknown>[] = [];
  const chunks: string[] = [];
  for await (const { kind, chunks: listedChunks, frame } of readParts(
    new StreamSource(listed([stream])),
  )) {
    if (kind !== "records") chunks.push(...listedChunks.map(({ hash }) => hash.toString("hex")));
    else {
      const text = (await compute.decode(frame)).toString("utf8").trimEnd();
      for (const line of text.split("\n"))
        records.push(JSON.parse(line) as Record<string, unknown>);
    }
  }
  return { records, chunks };
}
