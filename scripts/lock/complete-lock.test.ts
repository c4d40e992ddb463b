import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { root } from "../checkout.ts";
import { completeLock, missingPackages, type Lock } from "./complete-lock.ts";

const lock: Lock = {
  packages: {
    "": { version: "1.0.0" },
    "node_modules/@x/binding-linux-x64-gnu": { version: "2.0.0", dev: true, optional: true },
    "node_modules/x": {
      version: "2.0.0",
      dev: true,
      optionalDependencies: {
        "@x/binding-linux-x64-gnu": "2.0.0",
        "@x/binding-linux-arm-musleabihf": "2.0.0",
        "@x/darwin-arm64": "2.0.0",
      },
    },
  },
};

test("completeLock() adds what the lock names for other platforms and does not hold", () => {
  const { packages } = completeLock(lock);
  assert.deepEqual(packages["node_modules/@x/darwin-arm64"], {
    version: "2.0.0",
    dev: true,
    optional: true,
    os: ["darwin"],
    cpu: ["arm64"],
  });
  assert.deepEqual(packages["node_modules/@x/binding-linux-arm-musleabihf"], {
    version: "2.0.0",
    dev: true,
    optional: true,
    os: ["linux"],
    cpu: ["arm"],
    libc: ["musl"],
  });
  assert.equal(Object.keys(packages).length, 5);
});

test("missingPackages() finds nothing in the lock of the checkout: npm run lock repairs it", () => {
  const text = readFileSync(`${root}/package-lock.json`, "utf8");
  assert.deepEqual(missingPackages(JSON.parse(text) as Lock), []);
});
