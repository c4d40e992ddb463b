import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { CodedError } from "../base/errors.ts";
import { defaultDockerAddress } from "../runner/index.ts";
import {
  durationMs,
  folder,
  logLevel,
  rootFolder,
  runnerKind,
  sizeBytes,
  wholeNumber,
  type Environment,
} from "./config.ts";
import { parseDispatcherAddress, type DispatcherAddress } from "./dispatcher-address.ts";
import { dockerConfigFolder } from "./saved-login.ts";
import { secretVariables, type SecretPlaces } from "./secret-source.ts";

/** How `pachd worker` is set up. */
export interface WorkerConfig {
  /** Of the daemon, or of what stands before several: `HOST:PORT`. */
  readonly address: string;
  readonly tokenFile: string | undefined;
  /** Tasks that run at once. Default: one per CPU. */
  readonly slots: number;
  /** Folder of this worker alone: its cache, and the scratch of running commands. */
  readonly root: string;
  /** Files of inputs kept on disk between tasks. */
  readonly cacheBytesMax: number;
  /** The machine's name in list-worker, which a parallelism by coefficient counts. */
  readonly machine: string;
  /** What runs a pipeline whose spec names an image. */
  readonly runner: "process" | "docker";
  /** Where Docker answers: DOCKER_HOST. */
  readonly dockerAddress: string;
  /** Folder with the logins of registries: DOCKER_CONFIG. */
  readonly dockerConfig: string;
  /** Says when there may be tasks. Default: claims wait for them. */
  readonly dispatcher: DispatcherAddress | undefined;
  /** Where tasks find the secrets that they name: on this machine, not the daemon's. */
  readonly secrets: SecretPlaces;
  /** False: commands run without namespaces, as root, one at a time. */
  readonly sandbox: boolean;
  /** After SIGTERM, tasks get this long to end. */
  readonly drainMs: number;
  readonly logLevel: string;
}

export const workerHelp = `Usage: pachd worker --address HOST:PORT [options]

Runs tasks for the daemon at HOST:PORT until SIGTERM or SIGINT. Keeps nothing: it may come and go.

Options:
  --address HOST:PORT      the daemon, or what stands before several (ADDRESS; default 127.0.0.1:30650)
  --token-file FILE        the file that the daemon was given as --token-file (PACH_TOKEN_FILE)
  --slots N                tasks that run at once (default: one per CPU)
  --root DIR               cache and scratch, for this worker alone (PACH_WORKER_ROOT;
                           default ~/.local/share/mammoth-worker)
  --cache-bytes-max SIZE   how much of inputs is kept below DIR between tasks (default 20GiB)
  --machine NAME           what list-worker calls this machine (default: its host name)
  --runner KIND            process or docker: as of the daemon (PACH_RUNNER; default process)
  --dispatcher URL         as of the daemon: ask it for tasks when the job server says so, and every 5 seconds
  --secrets-dir DIR        as of the daemon: secrets are those of the machine that runs the task (PACH_SECRETS_DIR)
  --no-sandbox             run commands without namespaces: root only, one at a time, nothing is read-only
  --drain-timeout DURATION how long running tasks may go on after SIGTERM: 30s, 10m, 0 (default 10s)
  --log-level LEVEL        debug, info, warn or error (LOG_LEVEL; default info)
  --help                   print this
`;

const optionsOf = {
  address: { type: "string" },
  "token-file": { type: "string" },
  slots: { type: "string" },
  root: { type: "string" },
  "cache-bytes-max": { type: "string", default: "20GiB" },
  machine: { type: "string" },
  runner: { type: "string" },
  dispatcher: { type: "string" },
  "secrets-dir": { type: "string" },
  "no-sandbox": { type: "boolean", default: false },
  "drain-timeout": { type: "string", default: "10s" },
  "log-level": { type: "string" },
  help: { type: "boolean", default: false },
} as const;

/**
 * Reads the command line after `pachd worker`, and the environment.
 *
 * @throws CodedError `usage` for an option that is not known or makes no sense
 */
export function parseWorkerConfig(
  argv: readonly string[],
  env: Environment,
  machine: { cpus: number; cwd: string },
): WorkerConfig | "help" {
  const values = parseOptions(argv);
  if (values.help) return "help";
  const sandbox = !values["no-sandbox"];
  return {
    address: values.address ?? (env["ADDRESS"] || "127.0.0.1:30650"),
    tokenFile: values["token-file"] ?? (env["PACH_TOKEN_FILE"] || undefined),
    slots: slotsOf(values.slots, sandbox, machine.cpus),
    root: workerRoot(env, machine.cwd, values.root),
    cacheBytesMax: sizeBytes("--cache-bytes-max", values["cache-bytes-max"]),
    machine: values.machine ?? hostname(),
    runner: runnerKind(values.runner ?? (env["PACH_RUNNER"] || "process")),
    dockerAddress: env["DOCKER_HOST"] || defaultDockerAddress,
    dockerConfig: dockerConfigFolder(env),
    dispatcher: parseDispatcherAddress(values.dispatcher ?? (env["PACH_DISPATCHER"] || undefined)),
    secrets: {
      directory: folder(
        machine.cwd,
        values["secrets-dir"] ?? (env["PACH_SECRETS_DIR"] || undefined),
      ),
      environment: secretVariables(env),
    },
    sandbox,
    drainMs: durationMs("--drain-timeout", values["drain-timeout"]),
    logLevel: logLevel(values["log-level"] ?? (env["LOG_LEVEL"] || "info")),
  };
}

function parseOptions(
  argv: readonly string[],
): ReturnType<typeof parseArgs<{ options: typeof optionsOf }>>["values"] {
  try {
    return parseArgs({ args: [...argv], options: optionsOf, allowPositionals: false }).values;
  } catch (error) {
    throw new CodedError(
      "usage",
      `${(error as Error).message.split(". ")[0]}: "pachd worker --help" lists the options`,
    );
  }
}

function slotsOf(text: string | undefined, sandbox: boolean, cpus: number): number {
  const slots = text === undefined ? Math.max(1, cpus) : wholeNumber("--slots", text, 1);
  return sandbox ? slots : 1;
}

function workerRoot(env: Environment, cwd: string, option: string | undefined): string {
  if (option === "")
    throw new CodedError("usage", 'Cannot use --root "": name the folder of this worker');
  const named = option ?? (env["PACH_WORKER_ROOT"] || undefined);
  if (named !== undefined) return resolve(cwd, named);
  return join(dirname(rootFolder({ ...env, PACH_ROOT: undefined }, cwd)), "mammoth-worker");
}
