/** Who somebody is for a registry. */
export interface RegistryLogin {
  readonly username: string;
  readonly password: string;
}

/** Who we are for a registry such as `docker.io` or `127.0.0.1:5000`; undefined: anybody. */
export type LoginOf = (registry: string) => Promise<RegistryLogin | undefined>;

/** The registry of an image, by Docker's rule: the first part of a name is a host when it looks like one. */
export function registryOf(image: string): string {
  const [first = "", ...rest] = image.split("/");
  return rest.length > 0 && (/[.:]/.test(first) || first === "localhost") ? first : "docker.io";
}
