/** A JSON schema, as far as it matters here. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly default?: unknown;
}

/** Schemas by name. */
export type Schemas = Readonly<Record<string, Schema>>;

/** A value that a schema allows: its own example, or one put together from those of its parts. */
export function exampleOf(schema: Schema, named: Schemas): unknown {
  if (schema.$ref !== undefined) return exampleOf(named[schema.$ref.split("/").at(-1)!]!, named);
  if (schema.examples !== undefined) return schema.examples[0];
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.anyOf !== undefined) return exampleOf(schema.anyOf[0]!, named);
  if (schema.properties !== undefined) {
    const { properties, required = [] } = schema;
    return Object.fromEntries(required.map((name) => [name, exampleOf(properties[name]!, named)]));
  }
  if (schema.type === "array")
    return schema.items === undefined ? [] : [exampleOf(schema.items, named)];
  if (schema.type === "object") return {};
  if (schema.type === "boolean") return false;
  return schema.type === "string" ? "…" : 0;
}
