import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly schema: { readonly type?: string };
}

interface Content {
  readonly [type: string]: { readonly schema?: object; readonly "x-events"?: object };
}

interface Operation {
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<
    Record<string, { readonly $ref?: string; readonly content?: Content }>
  >;
}

/** A request, and how it was answered. */
export interface Exchange {
  readonly method: string;
  /** With its query. */
  readonly url: string;
  /** The body, when it was JSON. */
  readonly sent?: string | undefined;
  readonly status: number;
  readonly type: string | null;
  readonly received: string;
}

/** An OpenAPI document, to compare real requests and answers with. */
export class ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  private readonly document: {
    readonly components: { readonly responses: Operation["responses"] };
  };
  private readonly ajv = new Ajv2020({ strict: false });
  private readonly compiled = new Map<string, ValidateFunction>();
  private readonly patterns: readonly (readonly [RegExp, string])[];

  constructor(text: string) {
    const document = JSON.parse(text) as ApiDocument["document"] & Pick<ApiDocument, "paths">;
    this.document = document;
    this.paths = document.paths;
    this.ajv.addSchema(document, "document");
    this.patterns = Object.keys(this.paths).map((path) => {
      const pattern = path.replace("{path}", ".*").replace(/\{\w+\}/g, "[^/]*");
      return [new RegExp(`^${pattern}$`), path] as const;
    });
  }

  /** `GET /api/v1/repos` for every operation. */
  operations(): string[] {
    return Object.entries(this.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
  }

  /** The operation that a request is for; undefined when the document has none. */
  operationOf(method: string, url: string): string | undefined {
    const [path = ""] = url.split("?");
    const name = method === "HEAD" ? "get" : method.toLowerCase();
    const found = this.patterns.find(
      ([pattern, template]) => pattern.test(path) && this.paths[template]?.[name] !== undefined,
    );
    return found === undefined ? undefined : `${name.toUpperCase()} ${found[1]}`;
  }

  /** Whether the document allows what was sent: an empty list, or what it objects to. */
  requestFaults({ method, url, sent }: Exchange): string[] {
    const [operation, at] = this.find(method, url);
    const query = new URL(url, "http://host").searchParams;
    const known = operation.parameters.filter((parameter) => parameter.in === "query");
    const faults = [...new Set(query.keys())]
      .filter((name) => !known.some((parameter) => parameter.name === name))
      .map((name) => `no query parameter ${name}`);
    for (const parameter of known) {
      const { name, schema, required } = parameter;
      if (!query.has(name)) {
        if (required === true) faults.push(`query parameter ${name} is missing`);
        continue;
      }
      const index = operation.parameters.indexOf(parameter);
      const values = query.getAll(name);
      const value = schema.type === "array" ? values : values.map((one) => read(one, schema.type));
      const whole = schema.type === "array" ? value : value.length === 1 ? value[0] : value;
      faults.push(...this.faults(`${at}/parameters/${index}/schema`, whole));
    }
    for (const type of Object.keys(operation.requestBody?.content ?? {}))
      if (type === "application/json")
        faults.push(
          ...this.faults(`${at}/requestBody/content/${pointer(type)}/schema`, parse(sent)),
        );
    return faults;
  }

  /** Whether the document says that such a request may be answered so. */
  answerFaults({ method, url, status, type, received }: Exchange): string[] {
    const [operation, at] = this.find(method, url);
    const said = operation.responses[status];
    if (said === undefined) return [`no status ${status}`];
    const [answer, place] =
      said.$ref === undefined
        ? [said, `${at}/responses/${status}`]
        : [this.document.components.responses[said.$ref.split("/").at(-1)!]!, said.$ref.slice(1)];
    const types = Object.keys(answer.content ?? {});
    if (types.length === 0) return received === "" ? [] : ["a body"];
    const declared = types.find((one) => one.split(";")[0] === type?.split(";")[0]);
    if (declared === undefined) return [`no type ${type}`];
    if (method === "HEAD") return received === "" ? [] : ["a body"];
    if (answer.content?.[declared]?.schema === undefined) return [];
    const schema = `${place}/content/${pointer(declared)}/schema`;
    if (declared === "text/event-stream")
      return [...received.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].flatMap(([, name, data]) =>
        this.faults(`${place}/content/${pointer(declared)}/x-events/${name}`, parse(data)),
      );
    const lines = received === "" ? [] : received.trimEnd().split("\n");
    const values = declared.includes("ndjson") ? lines : [received];
    return values.flatMap((value) => this.faults(schema, parse(value)));
  }

  private find(method: string, url: string): [Operation, string] {
    const name = this.operationOf(method, url);
    if (name === undefined) throw new Error(`${method} ${url} is not in the document`);
    const [verb = "", path = ""] = name.split(" ");
    const operation = this.paths[path]![verb.toLowerCase()]!;
    return [operation, `/paths/${pointer(path)}/${verb.toLowerCase()}`];
  }

  /** What a schema of the document, by its JSON pointer, objects to. */
  faults(at: string, value: unknown): string[] {
    let validate = this.compiled.get(at);
    if (validate === undefined) {
      validate = this.ajv.compile({ $ref: `document#${at}` });
      this.compiled.set(at, validate);
    }
    if (validate(value)) return [];
    return [`${JSON.stringify(value).slice(0, 500)}: ${this.ajv.errorsText(validate.errors)}`];
  }
}

/** A part of a JSON pointer that stands in a URL. */
function pointer(part: string): string {
  return encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"));
}

function read(value: string, type: string | undefined): unknown {
  return type === "integer" && /^\d+$/.test(value) ? Number(value) : value;
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "{}");
  } catch {
    return { "not JSON": text };
  }
}
