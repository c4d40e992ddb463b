import type { Duplex } from "node:stream";
import Docker from "dockerode";
import { CodedError, isCoded } from "../../base/errors.ts";
import { parseDockerAddress } from "./docker-address.ts";
import type { RegistryLogin } from "./registry-login.ts";

/** A Docker daemon, as far as the runner needs it; what it refuses is a CodedError. */
export class DockerEngine {
  private readonly address: string;
  private readonly docker: Docker;

  constructor(address: string) {
    this.address = address;
    this.docker = new Docker(parseDockerAddress(address));
  }

  /** Whether it answers. */
  async state(): Promise<DockerState> {
    try {
      const { Version, ApiVersion } = await this.call(
        "ask Docker for its version",
        async () => await this.docker.version(),
      );
      return { answers: true, version: Version, apiVersion: ApiVersion };
    } catch (error) {
      return { answers: false, reason: (error as Error).message };
    }
  }

  /** What is known here of an image; undefined when it is not here. */
  async findImage(name: string): Promise<LocalImage | undefined> {
    try {
      const info = await this.call(
        `look for image ${name}`,
        async () => await this.docker.getImage(name).inspect(),
      );
      return {
        id: info.Id,
        digests: info.RepoDigests ?? [],
        // Podman and newer versions of Docker leave out what is empty.
        volumes: Object.keys(info.Config?.Volumes ?? {}),
        env: info.Config?.Env ?? [],
      };
    } catch (error) {
      if (isCoded(error, "not_found")) return undefined;
      throw error;
    }
  }

  /** The events of bringing an image from its registry, as they come; errors of the registry are among them. */
  async pull(
    name: string,
    { login, signal }: { login: RegistryLogin | undefined; signal: AbortSignal },
  ): Promise<AsyncIterable<Uint8Array>> {
    // Without a tag Docker would bring all that there are.
    const isExact = name.includes("@") || name.slice(name.lastIndexOf("/") + 1).includes(":");
    const fromImage = isExact ? name : `${name}:latest`;
    return (await this.call(
      `pull image ${name}`,
      async () =>
        await this.docker.createImage({
          fromImage,
          abortSignal: signal,
          ...(login === undefined ? {} : { authconfig: authconfigOf(login) }),
        }),
    )) as unknown as AsyncIterable<Uint8Array>;
  }

  /** Gives an image of ours one more name. */
  async tag(image: string, name: { repository: string; tag: string }): Promise<void> {
    await this.call(`push image ${image}`, async () => {
      await this.docker.getImage(image).tag({ repo: name.repository, tag: name.tag });
    });
  }

  /** The events of bringing an image to its registry; what that refuses is among them. */
  async push(
    name: string,
    { login, signal }: { login: RegistryLogin | undefined; signal: AbortSignal },
  ): Promise<AsyncIterable<Uint8Array>> {
    // Docker insists on being told something.
    const authconfig = authconfigOf(login ?? { username: "", password: "" });
    return (await this.call(
      `push image ${name}`,
      async () => await this.docker.getImage(name).push({ authconfig, abortSignal: signal }),
    )) as unknown as AsyncIterable<Uint8Array>;
  }

  async create(options: ContainerOptions): Promise<string> {
    const container = await this.call(
      `make a container of image ${options.Image}`,
      async () => await this.docker.createContainer(options),
    );
    return container.id;
  }

  /** @throws CodedError `invalid_argument` when the command cannot be started, with Docker's reason */
  async start(id: string): Promise<void> {
    await this.call("start a container", async () => {
      await this.docker.getContainer(id).start();
    });
  }

  /** Standard input, and what comes out: frames of both streams. To be called before the start. */
  async attach(id: string): Promise<Duplex> {
    const options = { stream: true, stdin: true, stdout: true, stderr: true, hijack: true };
    return (await this.call(
      "attach to a container",
      async () => await this.docker.getContainer(id).attach(options),
    )) as Duplex;
  }

  /** Waits for the end; the exit code. */
  async wait(id: string): Promise<number> {
    const { StatusCode } = (await this.call("wait for a container", async () => {
      return (await this.docker.getContainer(id).wait()) as unknown;
    })) as { StatusCode: number };
    return StatusCode;
  }

  async inspect(id: string): Promise<ContainerState> {
    const { State, NetworkSettings } = await this.call(
      "look at a container",
      async () => await this.docker.getContainer(id).inspect(),
    );
    const networks = Object.values(NetworkSettings?.Networks ?? {});
    const host = networks.map(({ IPAddress }) => IPAddress).find((address) => address !== "");
    return {
      pid: State.Pid,
      running: State.Running,
      outOfMemory: State.OOMKilled,
      ...(host === undefined ? {} : { host }),
    };
  }

  /** Kills what runs in a container and removes it, with its volumes. One that is gone is fine. */
  async remove(id: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.call("remove a container", async () => {
          await this.docker.getContainer(id).remove({ force: true, v: true });
        });
        return;
      } catch (error) {
        if (isCoded(error, "not_found")) return;
        // "Removal is already in progress": somebody asked before us, and we wait for it.
        if (!isCoded(error, "aborted") || attempt === removalsMax) throw error;
        if ((await this.gone(id)) === true) return;
      }
    }
  }

  /** The containers that carry a label, those that have ended too. */
  async withLabel(label: string): Promise<string[]> {
    const filters = JSON.stringify({ label: [label] });
    const found = await this.call(
      "list containers",
      async () => await this.docker.listContainers({ all: true, filters }),
    );
    return found.map(({ Id }) => Id);
  }

  private async gone(id: string): Promise<boolean> {
    return await this.docker
      .getContainer(id)
      .wait({ condition: "removed" })
      .then(
        () => true,
        () => false,
      );
  }

  private async call<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw refusal(error, action, this.address);
    }
  }
}

export type DockerState =
  | { readonly answers: true; readonly version: string; readonly apiVersion: string }
  | { readonly answers: false; readonly reason: string };

export interface LocalImage {
  /** `sha256:…` of its configuration: the same bytes have the same everywhere. */
  readonly id: string;
  /** `registry/name@sha256:…`, one for each registry it is known to be in. */
  readonly digests: readonly string[];
  readonly volumes: readonly string[];
  /** `NAME=value`, as the image declares them. */
  readonly env: readonly string[];
}

export type ContainerOptions = Docker.ContainerCreateOptions & { readonly Image: string };

export interface ContainerState {
  /** Of its first process, on Docker's machine; 0 when it does not run. */
  readonly pid: number;
  readonly running: boolean;
  readonly outOfMemory: boolean;
  /** Its address on the network of Docker's machine, when it has one of its own. */
  readonly host?: string;
}

const removalsMax = 5;

const codes: Readonly<Record<number, CodedError["code"]>> = {
  400: "invalid_argument",
  401: "permission_denied",
  403: "permission_denied",
  404: "not_found",
  409: "aborted",
};

function authconfigOf(login: RegistryLogin): RegistryLogin & { serveraddress: string } {
  return { ...login, serveraddress: "" };
}

/** What went wrong with a request, in Docker's own words. */
function refusal(error: unknown, action: string, address: string): unknown {
  if (!(error instanceof Error) || error.name === "AbortError") return error;
  const status = "statusCode" in error ? Number(error.statusCode) : undefined;
  if (status === undefined) {
    const code = "code" in error ? String(error.code) : error.message;
    const remedy =
      code === "EACCES"
        ? "This user may not: add it to the group docker"
        : "Start Docker, or say where it is with DOCKER_HOST";
    return new CodedError(
      "failed_precondition",
      `Cannot ${action}: no answer at ${address} (${code}). ${remedy}`,
      { cause: error },
    );
  }
  return new CodedError(codes[status] ?? "unavailable", `Cannot ${action}: ${wordsOf(error)}`, {
    cause: error,
    details: { status },
  });
}

function wordsOf(error: Error): string {
  const json = "json" in error ? (error.json as { message?: unknown } | null) : null;
  const words = typeof json?.message === "string" ? json.message : error.message;
  return words
    .trim()
    .replace(/^(\(HTTP code \d+\) [a-z ]+ - )?(Error response from daemon: )?/, "");
}
