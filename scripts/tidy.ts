import { readFileSync } from "node:fs";
import { checkTree } from "./tidy/check-tree.ts";
import { exceptions, exceptionsMax } from "./tidy/exceptions.ts";
import { importGraph, type Floors } from "./tidy/floors.ts";
import { sourceFile } from "./tidy/source-file.ts";
import { filesUnder, root } from "./checkout.ts";

// Holds the checkout against the rules that need the whole tree; what one file shows is oxlint's.
// Prints the import graph, then every finding. Exit code 1 when there is one.

const floors = JSON.parse(readFileSync(`${root}/floors.json`, "utf8")) as Floors;
const files = filesUnder(["src", "scripts", "test", "bench"])
  .filter((path) => path.endsWith(".ts"))
  .map((path) => sourceFile(path, readFileSync(`${root}/${path}`, "utf8")));

for (const line of importGraph(files, floors)) console.log(line);
const findings = checkTree({ files, floors, exceptions, exceptionsMax });
for (const { file, line, message } of findings) console.log(`${file}:${line}: ${message}`);
console.log(`${files.length} files, ${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;
