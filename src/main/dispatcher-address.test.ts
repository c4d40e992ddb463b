import assert from "node:assert/strict";
import { it } from "node:test";
import { isCoded } from "../base/errors.ts";
import { parseDispatcherAddress } from "./dispatcher-address.ts";

it("parseDispatcherAddress() reads host, port and function, with their defaults", () => {
  const read = (text: string): unknown => Object.values(parseDispatcherAddress(text) ?? {});
  assert.deepEqual(read("gearman://jobs"), ["jobs", 4730, "mammoth"]);
  assert.deepEqual(read("gearman://10.0.0.1:99"), ["10.0.0.1", 99, "mammoth"]);
  assert.deepEqual(read("gearman://[::1]:99/team-a"), ["::1", 99, "team-a"]);
  assert.equal(parseDispatcherAddress(undefined), undefined);
});

it("parseDispatcherAddress() refuses what is none, and says what is", () => {
  for (const text of [
    "",
    "jobs",
    "http://jobs",
    "gearman://",
    "gearman://a:0",
    "gearman://a:70000",
    "gearman://a/b/c",
  ])
    assert.throws(
      () => parseDispatcherAddress(text),
      (error) => isCoded(error, "usage") && error.message.includes("gearman://HOST:PORT"),
      text,
    );
});
