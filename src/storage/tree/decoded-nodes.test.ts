import { strict as assert } from "node:assert";
import { test } from "node:test";
import { DecodedNodes } from "./decoded-nodes.ts";
import type { TreeNode } from "./node-format.ts";

const address = (n: number): Buffer => Buffer.alloc(32, n);
const node = (level: number): TreeNode => ({ kind: "inner", level, items: [] });

test("DecodedNodes keeps those used last", () => {
  const decoded = new DecodedNodes(2);
  decoded.set(address(1), node(1));
  decoded.set(address(2), node(2));
  assert.equal(decoded.get(address(1))?.level, 1);
  decoded.set(address(3), node(3));
  assert.equal(decoded.get(address(2)), undefined);
  assert.equal(decoded.get(address(1))?.level, 1);
  assert.equal(decoded.get(address(3))?.level, 3);
});
