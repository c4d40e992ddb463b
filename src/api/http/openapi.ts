import { z } from "zod";
import { errorCodes, type ErrorCode } from "../../base/errors.ts";
import { nouns, type AnyRoute, type Answer, type Body } from "./route.ts";
import { errorAnswer } from "./shapes.ts";

type Json = Readonly<Record<string, unknown>>;
/** What has a name, for `components`. */
interface Named {
  readonly schemas: Record<string, unknown>;
  readonly responses: Record<string, unknown>;
}

/** What every route may answer with, whatever it does. */
const everywhere: readonly ErrorCode[] = [
  "invalid_argument",
  "unauthenticated",
  "permission_denied",
  "too_slow",
  "too_large",
  "cancelled",
  "data_loss",
  "internal",
  "unavailable",
  "resource_exhausted",
];

/** Parts of URLs. */
const params: Readonly<Record<string, string>> = {
  repo: "Name of a repo.",
  commit: "`branch/N`, written `branch%2FN`; or a branch: its newest commit.",
  branch: "Name of a branch.",
  path: "Path in the repo: the rest of the URL, its slashes as they are or as %2F.",
  pipeline: "Name of a pipeline.",
  job: "Id of a job.",
};

/** The OpenAPI 3.1 document of some routes. */
export function openApiOf(routes: readonly AnyRoute[], version: string): Json {
  const named: Named = { schemas: {}, responses: {} };
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes)
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route, named);
  return {
    openapi: "3.1.0",
    info: {
      title: "Mammoth",
      version,
      description:
        "Git for data, with pipelines. Whatever takes GET takes HEAD too. Query parameters that a route does not name are refused.",
    },
    tags: nouns.map((name) => ({ name })),
    security: [{}, { token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          description: "The token of `pachd --token-file`; without one, none is asked for.",
        },
      },
      ...named,
    },
  };
}

function operationOf(route: AnyRoute, named: Named): Json {
  const { summary, text, noun, body } = route;
  return {
    operationId: operationId(route),
    tags: [noun],
    summary,
    ...(text === undefined ? {} : { description: text }),
    parameters: [...pathParams(route), ...queryParams(route, named), ...headerParams(route)],
    ...(body === undefined ? {} : { requestBody: bodyOf(body, named) }),
    responses: responsesOf(route, named),
  };
}

/** `GET /api/v1/repos/{repo}/commits` is getReposRepoCommits. */
function operationId({ method, path }: AnyRoute): string {
  const words = path.replace("/api/v1", "").match(/\w+/g) ?? ["root"];
  const name = words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join("");
  return `${method.toLowerCase()}${name}`;
}

function pathParams({ path }: AnyRoute): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    description: params[name],
    schema: { type: "string" },
  }));
}

function queryParams({ query }: AnyRoute, named: Named): Json[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(query, "input", named) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: "query",
    required: required.includes(name),
    description,
    schema,
    ...(schema["type"] === "array" ? { style: "form", explode: true } : {}),
  }));
}

function headerParams({ isKeyed, isRanged, isResumed }: AnyRoute): Json[] {
  const key = {
    name: "Idempotency-Key",
    in: "header",
    description:
      "Makes repeating safe: a request of this route that is repeated with its key gets the first answer again.",
    schema: { type: "string", maxLength: 200 },
  };
  const range = {
    name: "Range",
    in: "header",
    description:
      "One range of bytes, such as `bytes=0-99` or `bytes=-10`; anything else is ignored.",
    schema: { type: "string" },
  };
  const last = {
    name: "Last-Event-ID",
    in: "header",
    description: "Of events: goes on behind the one with this id.",
    schema: { type: "string" },
  };
  return [
    ...(isKeyed === true ? [key] : []),
    ...(isRanged === true ? [range] : []),
    ...(isResumed === true ? [last] : []),
  ];
}

/** As 3.0 wrote it: 3.1 may leave the schema out, but generators then leave the whole route out. */
const anyBytes = { type: "string", format: "binary" };

function bodyOf({ type, text, shape, shown }: Body<unknown>, named: Named): Json {
  const schema =
    shape === undefined
      ? anyBytes
      : shown === undefined
        ? schemaOf(shape, "input", named)
        : withoutDialect(shown());
  return {
    description: text,
    required: shape !== undefined,
    content: { [type]: { schema } },
  };
}

function responsesOf(route: AnyRoute, named: Named): Json {
  const answers = [route.answer, ...(route.otherwise ?? [])];
  const good = [...Map.groupBy(answers, ({ status }) => status)].map(
    ([status, ways]) => [status, responseOf(ways, named)] as const,
  );
  const codes = [...everywhere, ...(route.method === "GET" ? [] : ["aborted" as const])];
  const bad: Map<number, ErrorCode[]> = Map.groupBy(
    new Set([...codes, ...(route.errors ?? [])]),
    (code): number => errorCodes[code].http,
  );
  // The one code that has statuses besides its own.
  for (const status of [414, 431]) bad.set(status, ["too_large"]);
  const refused = [...bad].map(([status, of]) => [status, refusalOf(of, named)] as const);
  return Object.fromEntries([...good, ...refused].sort(([a], [b]) => a - b));
}

/** What succeeds with one status, in one type of several. */
function responseOf(ways: readonly Answer<unknown>[], named: Named): Json {
  const description = ways[0]!.text;
  const typed = ways.filter(({ type }) => type !== undefined);
  if (typed.length === 0) return { description };
  const content = typed.map((answer) => [answer.type, contentOf(answer, named)] as const);
  return { description, content: Object.fromEntries(content) as Json };
}

function contentOf({ shape, line, events, text }: Answer<unknown>, named: Named): Json {
  if (events !== undefined) {
    const all = { ...events, end: z.strictObject({}), error: errorAnswer };
    const shown = Object.entries(all).map(
      ([name, data]) => [name, schemaOf(data, "output", named)] as const,
    );
    return { schema: { type: "string" }, "x-text": text, "x-events": Object.fromEntries(shown) };
  }
  const schema = shape ?? line;
  return schema === undefined ? {} : { schema: schemaOf(schema, "output", named) };
}

function refusalOf(codes: readonly ErrorCode[], named: Named): Json {
  const name = codes.join("-");
  const error = schemaOf(errorAnswer, "output", named);
  const narrowed = { properties: { error: { properties: { code: { enum: codes } } } } };
  named.responses[name] ??= {
    description: codes.map((code) => `\`${code}\``).join(", "),
    content: { "application/json": { schema: { allOf: [error, narrowed] } } },
  };
  return { $ref: `#/components/responses/${name}` };
}

/** A shape as JSON schema; what has a name is left to `named`. */
function schemaOf(shape: z.ZodType, io: "input" | "output", named: Named): Json {
  const { $defs, ...schema } = withoutDialect(
    z.toJSONSchema(shape, {
      io,
      unrepresentable: "any",
      override: ({ jsonSchema }) => show(jsonSchema),
    }),
  ) as Json & { $defs?: Json; id?: string };
  for (const [name, definition] of Object.entries($defs ?? {})) named.schemas[name] ??= definition;
  const { id, ...rest } = schema;
  if (typeof id !== "string") return schema;
  named.schemas[id] ??= rest;
  return { $ref: `#/components/schemas/${id}` };
}

/** What callers write may not be what is read: a number in a query is a text. */
function show(schema: Record<string, unknown>): void {
  const { openapi, description } = schema;
  if (openapi === undefined) return;
  for (const name of Object.keys(schema))
    if (name !== "description" && name !== "default") delete schema[name];
  Object.assign(schema, openapi, description === undefined ? {} : { description });
}

function withoutDialect(schema: object): Json {
  const { $schema: _, ...rest } = JSON.parse(
    JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'),
  ) as Json;
  return rest;
}
