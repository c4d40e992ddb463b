import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readDocument } from "../src/api/http/testing/read-document.ts";
import { root } from "./checkout.ts";
import { routesPage, type Document } from "./rest-docs/page.ts";

// npm run rest-docs [-- --write]: compares the parts of docs/reference that are made, from the OpenAPI document,
// with what they should be; with --write, replaces them. A part stands between comments that name it.

const path = "docs/reference/rest.md";

function withBlock(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- made: ${name} -->`, `<!-- end: ${name} -->`];
  const [start, stop] = [text.indexOf(begin), text.indexOf(end)];
  if (start < 0 || stop < start) throw new Error(`there is no ${begin} … ${end} in the page`);
  return `${text.slice(0, start + begin.length)}\n\n${content}\n\n${text.slice(stop)}`;
}

async function main(write: boolean): Promise<number> {
  const document = JSON.parse((await readDocument()).text) as Document;
  const text = readFileSync(join(root, path), "utf8");
  const wanted = withBlock(text, "routes", routesPage(document));
  if (text === wanted) return 0;
  if (write) writeFileSync(join(root, path), wanted);
  console.log(
    `${path}: ${write ? "written" : 'is not what the daemon says: run "npm run rest-docs -- --write"'}`,
  );
  return write ? 0 : 1;
}

process.exitCode = await main(process.argv.includes("--write"));
