import { ScalarType, type DescField, type DescMessage } from "@bufbuild/protobuf";
import fc from "fast-check";

/** Names that lead somewhere, and such that nobody expects. */
const names = [
  "",
  "r",
  "s",
  "p",
  "q",
  "master",
  "master/0",
  "master/1",
  "b",
  "b/0",
  "other",
  "/",
  "f",
  "d/f",
  "/d//f/",
  "../up",
  ".",
  "a\0b",
  "é",
  "-",
  "\u202e",
  "x".repeat(70_000),
];
const text = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(...names) },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 20 }) },
);
const whole = fc.constantFrom(0n, 1n, 2n, 3n, 7n, 2n ** 31n, 2n ** 53n, 2n ** 63n - 1n);
const signed = fc.oneof(whole, fc.constantFrom(-1n, -(2n ** 63n)));

/** Messages nested deeper are left out. */
const depthMax = 4;

/** Any message of a kind, as protobuf-es makes one from an object; `url` stays empty: the daemon would fetch it. */
export function anyMessage(message: DescMessage, depth = 0): fc.Arbitrary<Record<string, unknown>> {
  const fields = message.fields
    .filter((field) => field.name !== "url" && (field.message === undefined || depth < depthMax))
    .map((field) => [field.localName, anyField(field, depth)] as const);
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
}

function anyField(field: DescField, depth: number): fc.Arbitrary<unknown> {
  switch (field.fieldKind) {
    case "scalar":
      return anyScalar(field.scalar);
    case "enum":
      return fc.constantFrom(0, 1, 2, 3, 4, 99, -1);
    case "message":
      return anyMessage(field.message, depth + 1);
    case "list":
      return fc.array(anyItem(field, depth), { maxLength: 3 });
    case "map":
      return fc.dictionary(text, text, { maxKeys: 2 });
  }
}

function anyItem(field: DescField & { fieldKind: "list" }, depth: number): fc.Arbitrary<unknown> {
  if (field.listKind === "message") return anyMessage(field.message, depth + 1);
  return field.listKind === "scalar" ? anyScalar(field.scalar) : fc.constantFrom(0, 1, 99);
}

function anyScalar(scalar: ScalarType): fc.Arbitrary<unknown> {
  const values = scalars[scalar];
  if (values === undefined) throw new Error(`no values for scalars of kind ${scalar}`);
  return values;
}

const scalars: Readonly<Partial<Record<ScalarType, fc.Arbitrary<unknown>>>> = {
  [ScalarType.STRING]: text,
  [ScalarType.BYTES]: fc.uint8Array({ maxLength: 200 }),
  [ScalarType.BOOL]: fc.boolean(),
  [ScalarType.DOUBLE]: fc.oneof(fc.constantFrom(0, 1, NaN, Infinity, -1), fc.double()),
  [ScalarType.UINT64]: whole,
  [ScalarType.INT64]: signed,
};
