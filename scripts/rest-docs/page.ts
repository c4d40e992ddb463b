import { exampleOf, type Schema, type Schemas } from "./example.ts";

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

interface Typed {
  readonly schema?: Schema;
  readonly "x-text"?: string;
  readonly "x-events"?: Readonly<Record<string, Schema>>;
}

type Content = Readonly<Record<string, Typed>>;

interface Answer {
  readonly $ref?: string;
  readonly description?: string;
  readonly content?: Content;
}

interface Operation {
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly description: string; readonly content: Content };
  readonly responses: Readonly<Record<string, Answer>>;
}

/** An OpenAPI document of ours. */
export interface Document {
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Schemas;
    readonly responses: Readonly<Record<string, Answer>>;
  };
}

/** All routes, a section a noun. */
export function routesPage(document: Document): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
  // What every route refuses is said once.
  const refusals = operations.map(({ operation }) => refusalsOf(operation));
  const everywhere = refusals[0]!.filter((code) => refusals.every((some) => some.includes(code)));
  const common = new Set([...everywhere, "aborted"]);
  const sections = document.tags.map(({ name }) => {
    const routes = operations
      .filter(({ operation }) => operation.tags.includes(name))
      .map(({ method, path, operation }) => {
        const title = `### ${method.toUpperCase()} ${path.replace("/api/v1", "")}`;
        return [title, ...routeOf(operation, document, common)].join("\n\n");
      });
    return [`## ${name[0]!.toUpperCase()}${name.slice(1)}`, ...routes].join("\n\n");
  });
  return sections.join("\n\n");
}

/** The codes of what a route may refuse. */
function refusalsOf({ responses }: Operation): string[] {
  return Object.values(responses).flatMap(({ $ref }) => $ref?.split("/").at(-1)!.split("-") ?? []);
}

function routeOf(operation: Operation, document: Document, common: ReadonlySet<string>): string[] {
  const { schemas } = document.components;
  const { summary, description, requestBody } = operation;
  const parts = [description === undefined ? summary : `${summary} ${description}`];
  const parameters = operation.parameters.filter(
    ({ in: place, name }) => place !== "path" && name !== "Idempotency-Key",
  );
  if (parameters.length > 0)
    parts.push(["| parameter | |", "| --- | --- |", ...parameters.map(rowOf)].join("\n"));
  if (requestBody !== undefined) {
    const [type, { schema }] = Object.entries(requestBody.content)[0]!;
    parts.push(`Body (\`${type}\`): ${requestBody.description}`);
    if (type === "application/json" && schema !== undefined)
      parts.push(block(exampleOf(schema, schemas)));
  }
  for (const [status, { $ref, description: text, content }] of Object.entries(
    operation.responses,
  )) {
    if ($ref !== undefined) continue;
    for (const [type, typed] of Object.entries<Typed>(content ?? { "": {} })) {
      const { schema, "x-text": own = text, "x-events": events } = typed;
      const how = type === "" ? "" : ` (\`${type}\`)`;
      parts.push(`**${status}**${how}: ${own}`);
      if (events !== undefined) parts.push(block(firstEvent(events, schemas)));
      else if (schema !== undefined) parts.push(block(exampleOf(schema, schemas)));
    }
  }
  if (operation.parameters.some(({ name }) => name === "Idempotency-Key"))
    parts.push("Takes an `Idempotency-Key`.");
  const own = refusalsOf(operation).filter((code) => !common.has(code));
  if (own.length > 0) parts.push(`Refuses with ${own.map((code) => `\`${code}\``).join(", ")}.`);
  return parts;
}

/** What all have besides, is said once. */
function firstEvent(events: Readonly<Record<string, Schema>>, schemas: Schemas): object {
  const [name, schema] = Object.entries(events)[0]!;
  return { event: name, data: exampleOf(schema, schemas) };
}

function rowOf({ name, in: place, required, description = "", schema }: Parameter): string {
  const kind =
    place === "header"
      ? "header. "
      : schema.enum !== undefined && schema.enum.length > 0 && !schema.enum.includes("")
        ? `${schema.enum.map((value) => `\`${String(value)}\``).join(", ")}. `
        : schema.type === "array"
          ? "may be repeated. "
          : schema.type === "integer"
            ? "a number. "
            : "";
  const must = required === true ? "Must be given. " : "";
  const otherwise =
    schema.default === undefined || schema.default === "" || schema.default === "false"
      ? ""
      : ` Default: ${JSON.stringify(schema.default).replaceAll('"', "`")}.`;
  return `| \`${name}\` | ${kind}${must}${description}${Array.isArray(schema.default) ? "" : otherwise} |`;
}

function block(value: unknown): string {
  return `\`\`\`json\n${JSON.stringify(value, undefined, 2)}\n\`\`\``;
}
