import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import {
  grpcPython,
  grpcPythonFolder,
  grpcPythonStamp,
  hasGrpcPython,
} from "../../test/e2e/testing/grpc-python.ts";
import { aptInstall, isOnPath } from "./apt.ts";
import type { Service } from "./service.ts";

const exec = promisify(execFile);

/** Python's own gRPC: a client that nobody here wrote, built from `proto/` alone. */
export const grpcInPython: Service = {
  name: "grpcio (Python)",
  isThere: async () => hasGrpcPython(),
  async install() {
    if (!(await isOnPath("python3"))) await aptInstall("python3");
    const venv = async (): Promise<unknown> =>
      await exec("python3", ["-m", "venv", "--clear", grpcPythonFolder]);
    // Debian keeps that module in a package of its own.
    await venv().catch(async () => {
      await aptInstall("python3-venv");
      await venv();
    });
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    await exec(grpcPython, [...pip, "grpcio>=1.60", "grpcio-tools>=1.60"], { maxBuffer: 2 ** 26 });
    await writeFile(grpcPythonStamp, "");
  },
};
