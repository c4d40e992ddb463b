import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { CodedError } from "../base/errors.ts";
import type { RegistryLogin } from "../runner/index.ts";
import type { Environment } from "./config.ts";

/** Under what name `docker login` keeps the login of Docker Hub. */
const dockerHub = "https://index.docker.io/v1/";

interface DockerConfig {
  readonly auths?: Readonly<Record<string, { readonly auth?: string }>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
}

/** The folder where Docker's client keeps what it knows. */
export function dockerConfigFolder(env: Environment): string {
  return env["DOCKER_CONFIG"] || join(homedir(), ".docker");
}

/**
 * What `docker login` has kept for a registry (`docker.io`, `registry.example.com:5000`), in `config.json` of
 * that folder, or with the helper program that it names. Read anew each time, so a login counts
 * at once. Undefined: nobody has logged in.
 *
 * @throws CodedError `failed_precondition` when the file or the helper cannot be made sense of
 */
export async function savedLogin(
  folder: string,
  registry: string,
): Promise<RegistryLogin | undefined> {
  const path = join(folder, "config.json");
  const { auths = {}, credHelpers = {}, credsStore } = await readConfig(path);
  const server = registry === "docker.io" ? dockerHub : registry;
  const helper = credHelpers[registry] ?? credHelpers[server] ?? credsStore;
  if (helper !== undefined) return await askHelper(helper, server);
  const saved = auths[server]?.auth;
  if (saved === undefined || saved === "") return undefined;
  const [username = "", ...rest] = Buffer.from(saved, "base64").toString("utf8").split(":");
  return { username, password: rest.join(":") };
}

async function readConfig(path: string): Promise<DockerConfig> {
  const text = await readFile(path, "utf8").catch(() => "{}");
  try {
    return JSON.parse(text) as DockerConfig;
  } catch (error) {
    throw new CodedError(
      "failed_precondition",
      `Cannot read the logins of registries in ${path}: it is not JSON`,
      { cause: error },
    );
  }
}

/** The protocol of `docker-credential-NAME`: the server on stdin, JSON on stdout. */
async function askHelper(helper: string, server: string): Promise<RegistryLogin | undefined> {
  const program = `docker-credential-${helper}`;
  const asked = promisify(execFile)(program, ["get"], { timeout: 30_000 });
  asked.child.stdin?.on("error", () => undefined).end(server);
  try {
    const { Username, Secret } = JSON.parse((await asked).stdout) as Record<string, string>;
    return { username: Username ?? "", password: Secret ?? "" };
  } catch (error) {
    const said = (error as { stdout?: string }).stdout ?? "";
    if (said.includes("credentials not found")) return undefined;
    throw new CodedError(
      "failed_precondition",
      `Cannot get the login of ${server} from ${program}: ${said.trim() || "it does not answer"}`,
      { cause: error },
    );
  }
}
