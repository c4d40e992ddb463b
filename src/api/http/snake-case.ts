/** A JSON schema, as far as it matters here. */
type Schema = Readonly<Record<string, unknown>>;

/** The same schema, for documents whose fields may be written in snake_case as well as in camelCase. */
export function withSnakeCase(schema: unknown): object {
  return bothSpellings(schema) as object;
}

function bothSpellings(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(bothSpellings);
  if (typeof schema !== "object" || schema === null) return schema;
  const { properties, required = [], ...rest } = schema as Schema & { required?: string[] };
  const read = Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [name, bothSpellings(value)]),
  );
  if (properties === undefined) return read;
  const fields = Object.entries(properties as Schema).flatMap(([name, value]) => {
    const inner = bothSpellings(value);
    return [name, snakeOf(name)].map((spelt): [string, unknown] => [spelt, inner]);
  });
  const twice = required.filter((name) => snakeOf(name) !== name);
  return {
    ...read,
    properties: Object.fromEntries(fields),
    ...(required.length === twice.length
      ? {}
      : { required: required.filter((name) => !twice.includes(name)) }),
    ...(twice.length === 0 ? {} : { allOf: twice.map(eitherSpelling) }),
  };
}

function eitherSpelling(name: string): Schema {
  return { anyOf: [{ required: [name] }, { required: [snakeOf(name)] }] };
}

function snakeOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
