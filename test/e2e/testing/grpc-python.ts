import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where the test services put a Python with gRPC. */
export const grpcPythonFolder = join(homedir(), ".cache", "mammoth", "grpc-python");

/** The Python of that folder. */
export const grpcPython = join(grpcPythonFolder, "bin", "python");

/** Written once everything is installed. */
export const grpcPythonStamp = join(grpcPythonFolder, "installed");

/** True when a client in Python can be built and run. */
export function hasGrpcPython(): boolean {
  return existsSync(grpcPythonStamp);
}
