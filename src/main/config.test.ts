import assert from "node:assert/strict";
import { it } from "node:test";
import { CodedError } from "../base/errors.ts";
import { parsePachdConfig } from "./config.ts";

const machine = { cpus: 1, cwd: "/" };

it("parsePachdConfig() refuses a database address it cannot read, and does not show it", () => {
  const read = (url: string): unknown => parsePachdConfig(["--database", url], {}, machine);
  for (const url of ["postgres://u:secret%25@h/d", "postgresql:///d?host=/run", "postgres://h"])
    assert.ok(read(url));
  for (const [url, message] of [
    [
      "postgres://u:50%secret@h/d",
      /^Cannot use --database: a "%" in it is written as %25\. give /i,
    ],
    ["mysql://u:secret@h/d", /^Cannot use --database: give an address such as/],
    ["postgres://u:secret@h:port/d", /^Cannot use --database: give an address such as/],
  ] as const)
    assert.throws(
      () => read(url),
      (thrown) =>
        thrown instanceof CodedError &&
        message.test(thrown.message) &&
        !thrown.message.includes("secret"),
    );
});
