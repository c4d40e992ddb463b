import { userInfo } from "node:os";
import { randomHex, systemRandom } from "../base/random.ts";
import type { Machine } from "../cli/index.ts";
import { defaultDockerAddress, pushDockerImage } from "../runner/index.ts";
import type { Environment } from "./config.ts";
import { dockerConfigFolder, savedLogin } from "./saved-login.ts";

/** Pushes images of this machine's Docker, for `pachctl create-pipeline --push-images`. */
export function imagePusher(env: Environment): Machine["pushImage"] {
  return async ({ image, registry, username, password }, signal) => {
    const owner = username ?? userInfo().username;
    const repository = `${registry}/${owner}/${shortName(image)}`;
    const tag = randomHex(systemRandom);
    const login =
      password === undefined
        ? await savedLogin(dockerConfigFolder(env), registry)
        : { username: owner, password };
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
