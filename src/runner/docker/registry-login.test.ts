import assert from "node:assert/strict";
import { it } from "node:test";
import { registryOf } from "./registry-login.ts";

it("registryOf() takes the first part for a host as Docker does", () => {
  const cases: [string, string][] = [
    ["ubuntu", "docker.io"],
    ["ubuntu:24.04", "docker.io"],
    ["me/tool", "docker.io"],
    ["localhost/tool", "localhost"],
    ["127.0.0.1:5000/me/tool:1", "127.0.0.1:5000"],
    ["quay.io/me/tool@sha256:00", "quay.io"],
  ];
  for (const [image, registry] of cases) assert.equal(registryOf(image), registry, image);
});
