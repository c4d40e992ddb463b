import { readFile } from "node:fs/promises";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { randomHex, systemRandom } from "../base/random.ts";
import type { Machine } from "../cli/index.ts";
import { defaultDockerAddress, pushDockerImage } from "../runner/index.ts";
import type { Environment } from "./config.ts";

type Login = { readonly username: string; readonly password: string };

/** Pushes images of this machine's Docker, for `pachctl create-pipeline --push-images`. */
export function imagePusher(env: Environment): Machine["pushImage"] {
  return async ({ image, registry, username, password }, signal) => {
    const owner = username ?? userInfo().username;
    const repository = `${registry}/${owner}/${shortName(image)}`;
    const tag = randomHex(systemRandom);
    const login =
      password === undefined ? await savedLogin(env, registry) : { username: owner, password };
    const address = env["DOCKER_HOST"] || defaultDockerAddress;
    await pushDockerImage({ address, image, repository, tag, login }, signal);
    return `${repository}:${tag}`;
  };
}

/** `registry/user/name:tag` → `name`. */
function shortName(image: string): string {
  const last = image.split("@", 1)[0]?.split("/").at(-1) ?? "";
  return last.split(":", 1)[0] ?? "";
}

/** Where `docker login` keeps what it was told; the first registry has an address of its own there. */
const dockerHub = "https://index.docker.io/v1/";

async function savedLogin(env: Environment, registry: string): Promise<Login | undefined> {
  const folder = env["DOCKER_CONFIG"] || join(homedir(), ".docker");
  const text = await readFile(join(folder, "config.json"), "utf8").catch(() => "{}");
  const { auths = {} } = JSON.parse(text) as { auths?: Record<string, { auth?: string }> };
  const saved = auths[registry === "docker.io" ? dockerHub : registry]?.auth;
  if (saved === undefined) return undefined;
  const [username = "", ...rest] = Buffer.from(saved, "base64").toString("utf8").split(":");
  return { username, password: rest.join(":") };
}
