import { CodedError } from "../base/errors.ts";
import { parseJsonDocuments } from "./json-documents.ts";

const shownLineMax = 120;

/**
 * Parses a text of one or several documents: JSON objects one after another, or YAML documents.
 *
 * @param name what the text is called in messages; a suffix `.json`, `.yaml` or `.yml` decides the
 * language, otherwise the first character does
 * @throws CodedError `invalid_argument` with line, column and the line itself; or when there is no document
 */
export async function parseDocuments(text: string, name: string): Promise<unknown[]> {
  const bare = text.replace(/^\uFEFF/, "");
  const values = isJson(bare, name) ? readJson(bare, name) : await readYaml(bare, name);
  if (values.length > 0) return values;
  throw new CodedError("invalid_argument", `Cannot read ${name}: it is empty. Give JSON or YAML`);
}

function isJson(text: string, name: string): boolean {
  if (/\.ya?ml$/i.test(name)) return false;
  return /\.json$/i.test(name) || /^\s*[{[]/.test(text);
}

function readJson(text: string, name: string): unknown[] {
  const result = parseJsonDocuments(text);
  if ("fault" in result) throw syntaxError(text, { name, ...result.fault });
  return result.values;
}

async function readYaml(text: string, name: string): Promise<unknown[]> {
  // Loaded only where it is wanted: most specs are JSON, and a command should start fast.
  const { parseAllDocuments } = await import("yaml");
  const documents = [...parseAllDocuments(text, { prettyErrors: false })];
  for (const { errors } of documents) {
    const [error] = errors;
    if (error !== undefined)
      throw syntaxError(text, { name, at: error.pos[0], message: error.message });
  }
  try {
    return documents
      .map((document) => document.toJS() as unknown)
      .filter((value) => value !== null);
  } catch (error) {
    // Aliases are resolved here: unknown ones, and so many that the text would explode.
    throw new CodedError("invalid_argument", `Cannot read ${name}: ${(error as Error).message}`);
  }
}

function syntaxError(
  text: string,
  fault: { name: string; at: number; message: string },
): CodedError {
  const before = text.slice(0, fault.at).split("\n");
  const line = before.length;
  const column = [...(before.at(-1) ?? "")].length + 1;
  const shown = (text.split("\n")[line - 1] ?? "").replace(/\r$/, "").slice(0, shownLineMax);
  return new CodedError(
    "invalid_argument",
    `Syntax error in ${fault.name}, line ${line}, column ${column}: ${fault.message}\n${shown}`,
  );
}
