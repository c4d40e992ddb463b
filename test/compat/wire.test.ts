// Goal: names, numbers and types on the wire are those of the 1.2 series. Method: wire.txt, written down from
// that release, against the descriptors that the daemon reads and writes with.
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  ScalarType,
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescService,
} from "@bufbuild/protobuf";
import { root } from "../../scripts/checkout.ts";
import { file_health } from "../../src/api/grpc/gen/health_pb.ts";
import { file_pfs } from "../../src/api/grpc/gen/pfs_pb.ts";
import { file_pps } from "../../src/api/grpc/gen/pps_pb.ts";
import { file_protoversion } from "../../src/api/grpc/gen/protoversion_pb.ts";

const facts = readFileSync(`${root}/test/compat/wire.txt`, "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"));

function scalarName(scalar: ScalarType): string {
  return ScalarType[scalar].toLowerCase();
}

function typeOf(field: DescField): string {
  switch (field.fieldKind) {
    case "scalar":
      return scalarName(field.scalar);
    case "enum":
      return field.enum.name;
    case "message":
      return field.message.name;
    case "map":
      return `map<${scalarName(field.mapKey)},${field.mapKind === "scalar" ? scalarName(field.scalar) : "?"}>`;
    case "list":
      return `${field.message?.name ?? field.enum?.name ?? scalarName(field.scalar!)}*`;
  }
}

function messageLine(message: DescMessage): string {
  const fields = message.fields
    .toSorted((a, b) => a.number - b.number)
    .map((field) => `${field.name}=${field.number} ${typeOf(field)}`);
  return `message ${message.typeName}: ${fields.join("; ")}`.trimEnd();
}

function enumLine({ typeName, values }: DescEnum): string {
  return `enum ${typeName}: ${values.map(({ name, number }) => `${name}=${number}`).join(" ")}`;
}

function serviceLine({ typeName, methods }: DescService): string {
  const calls = methods.map(({ name, input, output, methodKind }) => {
    const [many, answers] = [methodKind === "client_streaming", methodKind === "server_streaming"];
    return `${name}(${input.name}${many ? "*" : ""}) ${output.name}${answers ? "*" : ""}`;
  });
  return `service ${typeName}: ${calls.join("; ")}`;
}

function linesOf(file: DescFile): string[] {
  const inner = file.messages.flatMap((message) => [
    ...message.nestedEnums.map(enumLine),
    messageLine(message),
  ]);
  return [...inner, ...file.enums.map(enumLine), ...file.services.map(serviceLine)];
}

test("messages, enums and services have the names, numbers and types of the 1.2 series", () => {
  const ours = [file_pfs, file_pps, file_protoversion, file_health].flatMap(linesOf);
  assert.deepEqual(ours.toSorted(), facts.toSorted());
});
