import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { hasS3Server, s3ServerProgram } from "../../src/objectstore/testing/s3-server.ts";
import { aptInstall, isOnPath } from "./apt.ts";
import type { Service } from "./service.ts";

const exec = promisify(execFile);
const source = "github.com/versity/versitygw/cmd/versitygw@v1.8.0";

/** An S3 server that is nobody's mock: the tests start it themselves, on folders of their own. */
export const s3Server: Service = {
  name: "versitygw",
  isThere: async () => hasS3Server(),
  async install() {
    if (!(await isOnPath("go"))) await aptInstall("golang-go");
    const folder = dirname(s3ServerProgram);
    await mkdir(folder, { recursive: true });
    await exec("go", ["install", source], {
      env: { ...process.env, GOBIN: folder },
      maxBuffer: 2 ** 26,
    });
  },
};
