import type { Finding } from "./finding.ts";
import { isTest, type SourceFile } from "./source-file.ts";

/**
 * Which package is used where; one that is not listed may be used nowhere in `src/`. Built-ins of
 * Node are free except those listed. A trailing `/` means the whole folder.
 */
const packages: Readonly<Record<string, readonly string[]>> = {
  commander: ["src/cli/"],
  "@bufbuild/protobuf": ["src/api/grpc/"],
  "@aws-sdk/client-s3": ["src/objectstore/s3/"],
  diff: ["src/cli/"],
  dockerode: ["src/runner/docker/"],
  fastify: ["src/api/http/", "src/api/curl/"],
  "node:sqlite": ["src/metadata/sqlite/"],
  pg: ["src/metadata/postgres/"],
  pino: ["src/main/"],
  "pino-pretty": ["src/main/"],
  piscina: ["src/storage/"],
  "tar-stream": ["src/api/http/", "src/client/"],
  yaml: ["src/model/"],
  zod: ["src/api/http/", "src/api/curl/", "src/model/"],
};

const testPackages = new Set(["ajv", "fast-check"]);

/** A third-party package stays behind one floor, so that its types never cross a seam. */
export function checkThirdParty(file: SourceFile): Finding[] {
  if (!file.path.startsWith("src/")) return [];
  return file.imports
    .filter(({ specifier }) => !specifier.startsWith("."))
    .filter(({ specifier }) => !mayUse(file.path, packageOf(specifier)))
    .map(({ specifier, line }) => {
      const homes = packages[packageOf(specifier)] ?? ["nowhere yet"];
      const message = `${specifier} is for ${homes.join(", ")}: see scripts/tidy/third-party.ts`;
      return { file: file.path, line, rule: "third-party", message };
    });
}

function mayUse(path: string, name: string): boolean {
  if (isTest(path) && (testPackages.has(name) || packages[name] !== undefined)) return true;
  const homes = packages[name];
  if (homes === undefined) return name.startsWith("node:");
  return homes.some((home) => path.startsWith(home));
}

/** `@a/b/c` → `@a/b`, `pino/file` → `pino`; built-ins keep their `node:`. */
function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}
