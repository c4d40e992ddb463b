import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readDocument } from "../src/api/http/testing/read-document.ts";
import { root } from "./checkout.ts";
import { routesPage, type Document } from "./rest-docs/page.ts";

// npm run rest-docs [-- --write]: compares the parts of docs/reference that are made, from the OpenAPI document and
// from test/compat/rest-matrix.tsv, with what they should be; with --write, replaces them. A part stands between
// comments that name it.

function withBlock(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- made: ${name} -->`, `<!-- end: ${name} -->`];
  const [start, stop] = [text.indexOf(begin), text.indexOf(end)];
  if (start < 0 || stop < start) throw new Error(`there is no ${begin} … ${end} in the page`);
  return `${text.slice(0, start + begin.length)}\n\n${content}\n\n${text.slice(stop)}`;
}

/** A row of test/compat/rest-matrix.tsv a line. */
function matrixTable(): string {
  const [, ...rows] = readFileSync(join(root, "test/compat/rest-matrix.tsv"), "utf8")
    .trimEnd()
    .split("\n");
  const lines = rows.map((row) => {
    const [method = "", routes = "", note = ""] = row.split("\t");
    const shown = routes.split(", ").map((route) => `\`${route.replace("/api/v1", "")}\``);
    return `| \`${method}\` | ${routes === "-" ? "none" : shown.join(", ")} | ${note} |`;
  });
  return ["| method | route | |", "| --- | --- | --- |", ...lines].join("\n");
}

async function main(write: boolean): Promise<number> {
  const document = JSON.parse((await readDocument()).text) as Document;
  const made = [
    { path: "docs/reference/rest.md", name: "routes", content: routesPage(document) },
    { path: "docs/reference/grpc.md", name: "matrix", content: matrixTable() },
  ];
  let isSame = true;
  for (const { path, name, content } of made) {
    const text = readFileSync(join(root, path), "utf8");
    const wanted = withBlock(text, name, content);
    if (text === wanted) continue;
    if (write) writeFileSync(join(root, path), wanted);
    else isSame = false;
    console.log(
      `${path}: ${write ? "written" : 'is not what it is made from: run "npm run rest-docs -- --write"'}`,
    );
  }
  return isSame ? 0 : 1;
}

process.exitCode = await main(process.argv.includes("--write"));
