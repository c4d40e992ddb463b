import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { CodedError } from "../base/errors.ts";
import { GiB, KiB, MiB } from "../base/size.ts";
import { isRepoName } from "../model/repo.ts";
import { defaultDockerAddress } from "../runner/index.ts";
import { secretVariables, type SecretPlaces } from "./secret-source.ts";
import { parseDispatcherAddress, type DispatcherAddress } from "./dispatcher-address.ts";
import { dockerConfigFolder } from "./saved-login.ts";
import { parseStoreAddress, type StoreAddress } from "./store-address.ts";

/** How pachd is set up: command line first, then environment, then defaults. */
export interface PachdConfig {
  /** What to do: serve, or make lost metadata anew. */
  readonly command: "serve" | "recover";
  /** Folder that holds everything: metadata, objects, caches. Default: a folder under the user's data directory. */
  readonly root: string;
  /** `postgres://…` of a database shared with other daemons; undefined: one of its own below the root. */
  readonly database: string | undefined;
  /** `file:///dir` or `s3://bucket/prefix?endpoint=…`; undefined: a folder below the root. */
  readonly objectStore: StoreAddress | undefined;
  /** Where S3 is when an address does not say it: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL. */
  readonly s3Endpoint: string | undefined;
  /** Bytes of objects far away that are kept on the local disk. */
  readonly objectCacheBytes: number;
  readonly host: string;
  readonly port: number;
  /** Tasks that run at once; 0 leaves all to workers on other machines. Default: one per CPU. */
  readonly slots: number;
  /** What runs a pipeline whose spec names an image; one that names none runs as a process. */
  readonly runner: "process" | "docker";
  /** Where Docker answers: DOCKER_HOST. */
  readonly dockerAddress: string;
  /** Folder with the logins of registries: DOCKER_CONFIG. */
  readonly dockerConfig: string;
  /** False: commands run without namespaces, as root, one at a time. */
  readonly sandbox: boolean;
  readonly tokenFile: string | undefined;
  /** Listen beyond loopback without a token. */
  readonly insecure: boolean;
  readonly allowedHosts: readonly string[];
  /** The repo of the curl API. */
  readonly curlRepo: string;
  /** Garbage is collected this long after something was deleted; 0: only when asked. */
  readonly gcEveryMs: number;
  /** What tasks printed is kept up to this, the oldest removed first. */
  readonly logBytesMax: number;
  /** After SIGTERM, requests and tasks under way get this long to end. */
  readonly drainMs: number;
  readonly logLevel: string;
  /** Where tasks find the secrets that they name. */
  /** Tells workers on other machines of new tasks. Default: their claims wait. */
  readonly dispatcher: DispatcherAddress | undefined;
  readonly secrets: SecretPlaces;
}

export const pachdHelp = `Usage: pachd [options]
       pachd recover [options]
       pachd worker --address HOST:PORT [options]

Runs the Mammoth daemon until SIGTERM or SIGINT. "recover" makes a lost database anew from the object store alone.
"worker" runs tasks for a daemon on another machine: "pachd worker --help" lists its options.

Options:
  --root DIR           where everything is kept (PACH_ROOT; default ~/.local/share/mammoth)
  --database URL       postgres://user:password@host/database instead of a database in DIR (PACH_DATABASE);
                       several daemons may share one, and an object store
  --object-store URL   file:///dir or s3://bucket/prefix?endpoint=https://…&region=… instead of a folder in DIR
                       (PACH_OBJECT_STORE)
  --object-cache SIZE  how much of an s3:// store is kept below DIR (default 10GiB; 0 = nothing)
  --address HOST:PORT  where to listen (PACH_ADDRESS; default 127.0.0.1:30650; port 0 takes a free one)
  --slots N            tasks that run at once (default: one per CPU); 0 leaves all to workers on other machines
  --runner KIND        process: commands run on this machine, images are not used; docker: those of a spec that
                       names an image run in it (PACH_RUNNER; default process; DOCKER_HOST says where Docker is)
  --no-sandbox         run commands without namespaces: root only, one at a time, nothing is read-only
  --token-file FILE    ask every request for the token in FILE
  --insecure           listen beyond loopback without a token
  --allow-host NAME    answer requests to this host name too (repeatable)
  --curl-repo NAME     the repo that /file, /commit and /branch are about (default data)
  --gc-every DURATION  collect garbage so long after a deletion: 30s, 10m, 2h; 0 = only when asked (default 10m)
  --keep-logs SIZE     how much is kept of what tasks print, the oldest goes first (default 1GiB)
  --drain-timeout DURATION  how long requests and tasks may go on after SIGTERM (default 10s)
  --dispatcher URL     gearman://HOST[:PORT][/FUNCTION]: a job server that tells workers of new tasks (PACH_DISPATCHER)
  --secrets-dir DIR    the secrets that specs name: DIR/NAME/FILE, or DIR/NAME (PACH_SECRETS_DIR); one may also be the
                       variable PACHD_SECRET_NAME
  --log-level LEVEL    debug, info, warn or error (LOG_LEVEL; default info)
  --version            print the version
  --help               print this
`;

const optionsOf = {
  root: { type: "string" },
  database: { type: "string" },
  "object-store": { type: "string" },
  "object-cache": { type: "string" },
  address: { type: "string" },
  slots: { type: "string" },
  runner: { type: "string" },
  "no-sandbox": { type: "boolean", default: false },
  "token-file": { type: "string" },
  insecure: { type: "boolean", default: false },
  "allow-host": { type: "string", multiple: true, default: [] as string[] },
  "curl-repo": { type: "string", default: "data" },
  "gc-every": { type: "string" },
  "keep-logs": { type: "string", default: "1GiB" },
  "drain-timeout": { type: "string", default: "10s" },
  dispatcher: { type: "string" },
  "secrets-dir": { type: "string" },
  "log-level": { type: "string" },
  version: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** Environment variables, as a process has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the command line and the environment.
 *
 * @throws CodedError `usage` for an option that is not known or makes no sense
 */
export function parsePachdConfig(
  argv: readonly string[],
  env: Environment,
  machine: { cpus: number; cwd: string },
): PachdConfig | "help" | "version" {
  const { values, positionals } = parseOptions(argv);
  if (values.help) return "help";
  if (values.version) return "version";
  if (values.root === "")
    throw new CodedError("usage", 'Cannot use --root "": name the folder that holds everything');
  const { host, port } = parseAddress(values.address ?? (env["PACH_ADDRESS"] || "127.0.0.1:30650"));
  const config: PachdConfig = {
    command: parseCommand(positionals),
    root: rootFolder(env, machine.cwd, values.root),
    objectStore: objectStore(values["object-store"] ?? (env["PACH_OBJECT_STORE"] || undefined)),
    s3Endpoint: env["AWS_ENDPOINT_URL_S3"] || env["AWS_ENDPOINT_URL"] || undefined,
    objectCacheBytes: sizeBytes("--object-cache", values["object-cache"] ?? "10GiB"),
    database: databaseUrl(values.database ?? (env["PACH_DATABASE"] || undefined)),
    host,
    port,
    slots:
      values.slots === undefined
        ? Math.max(1, machine.cpus)
        : wholeNumber("--slots", values.slots, 0),
    runner: runnerKind(values.runner ?? (env["PACH_RUNNER"] || "process")),
    dockerAddress: env["DOCKER_HOST"] || defaultDockerAddress,
    dockerConfig: dockerConfigFolder(env),
    sandbox: !values["no-sandbox"],
    tokenFile: values["token-file"],
    insecure: values.insecure,
    allowedHosts: values["allow-host"],
    curlRepo: repoName("--curl-repo", values["curl-repo"]),
    gcEveryMs: durationMs("--gc-every", values["gc-every"] ?? "10m"),
    logBytesMax: sizeBytes("--keep-logs", values["keep-logs"]),
    drainMs: durationMs("--drain-timeout", values["drain-timeout"]),
    dispatcher: parseDispatcherAddress(values.dispatcher ?? (env["PACH_DISPATCHER"] || undefined)),
    secrets: {
      directory: folder(
        machine.cwd,
        values["secrets-dir"] ?? (env["PACH_SECRETS_DIR"] || undefined),
      ),
      environment: secretVariables(env),
    },
    logLevel: logLevel(values["log-level"] ?? (env["LOG_LEVEL"] || "info")),
  };
  requireSafe(config);
  return config;
}

/** An absolute path. */
export function folder(cwd: string, path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(cwd, path);
}

function parseOptions(
  argv: readonly string[],
): ReturnType<typeof parseArgs<{ options: typeof optionsOf; allowPositionals: true }>> {
  try {
    return parseArgs({ args: [...argv], options: optionsOf, allowPositionals: true });
  } catch (error) {
    throw new CodedError(
      "usage",
      `${(error as Error).message.split(". ")[0]}: "pachd --help" lists the options`,
    );
  }
}

function parseCommand([command, ...rest]: readonly string[]): PachdConfig["command"] {
  if (command === undefined) return "serve";
  if (command === "recover" && rest.length === 0) return "recover";
  throw new CodedError(
    "usage",
    `Unexpected argument '${rest[0] ?? command}': "pachd --help" lists the options`,
  );
}

function objectStore(text: string | undefined): StoreAddress | undefined {
  return text === undefined ? undefined : parseStoreAddress(text);
}

/** Never shown: it may hold a password. */
function databaseUrl(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = /^postgres(ql)?:\/\//.test(text) ? URL.parse(text) : null;
  if (url !== null && [url.username, url.password, url.pathname].every(isEscaped)) return text;
  const why = url === null ? "" : 'a "%" in it is written as %25. ';
  throw new CodedError(
    "usage",
    `Cannot use --database: ${why}give an address such as postgres://user:password@host:5432/mammoth`,
  );
}

function isEscaped(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** `host:port`, `[v6]:port`. */
export function parseAddress(text: string): { host: string; port: number } {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port > 65_535)
    throw new CodedError(
      "usage",
      `Cannot listen on "${text}": write an address as HOST:PORT, such as 127.0.0.1:30650`,
    );
  return { host: match[1].replace(/^\[|\]$/g, ""), port };
}

/** `0`, `4`. @throws CodedError `usage` */
export function wholeNumber(name: string, text: string, min: number): number {
  if (/^\d{1,6}$/.test(text) && Number(text) >= min) return Number(text);
  throw new CodedError(
    "usage",
    `Cannot use ${name} ${text}: give a whole number of at least ${min}`,
  );
}

/** @throws CodedError `usage` */
export function runnerKind(text: string): PachdConfig["runner"] {
  if (text === "process" || text === "docker") return text;
  throw new CodedError("usage", `Cannot use --runner ${text}: give process or docker`);
}

function repoName(option: string, name: string): string {
  if (isRepoName(name)) return name;
  throw new CodedError(
    "usage",
    `Cannot use ${option} ${JSON.stringify(name)}: the name of a repo has letters, digits and "_" alone`,
  );
}

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** `30s`, `10m`, `2h` or `0`. */
export function durationMs(name: string, text: string): number {
  const [, count = "", unit = ""] = /^(\d{1,6})([smh])$/.exec(text) ?? [];
  if (text === "0") return 0;
  if (unitMs[unit] !== undefined && Number(count) > 0) return Number(count) * unitMs[unit];
  throw new CodedError(
    "usage",
    `Cannot use ${name} ${text}: give a duration such as 30s, 10m or 2h, or 0`,
  );
}

const unitBytes: Readonly<Record<string, number>> = { KiB, MiB, GiB };

/** `512MiB`, `10GiB` or `0`. */
export function sizeBytes(name: string, text: string): number {
  const [, count = "", unit = ""] = /^(\d{1,6})([KMG]iB)$/.exec(text) ?? [];
  if (text === "0") return 0;
  if (unitBytes[unit] !== undefined && Number(count) > 0) return Number(count) * unitBytes[unit];
  throw new CodedError(
    "usage",
    `Cannot use ${name} ${text}: give a size such as 512MiB or 10GiB, or 0`,
  );
}

const logLevels = ["debug", "info", "warn", "error"];

/** @throws CodedError `usage` */
export function logLevel(text: string): string {
  if (logLevels.includes(text)) return text;
  throw new CodedError(
    "usage",
    `Cannot use log level "${text}": give one of ${logLevels.join(", ")}`,
  );
}

/** The folder that holds everything: what --root says, then PACH_ROOT, then the default. */
export function rootFolder(env: Environment, cwd: string, option?: string): string {
  return resolve(cwd, option ?? (env["PACH_ROOT"] || defaultRoot(env)));
}

function defaultRoot(env: Environment): string {
  const data = env["XDG_DATA_HOME"];
  return join(
    data !== undefined && isAbsolute(data) ? data : join(homedir(), ".local", "share"),
    "mammoth",
  );
}

const loopback = ["127.0.0.1", "localhost", "::1"];

function requireSafe(config: PachdConfig): void {
  if (loopback.includes(config.host) || config.tokenFile !== undefined || config.insecure) return;
  throw new CodedError(
    "usage",
    `Refusing to listen on ${config.host}: anyone who reaches it could run code here. Add --token-file FILE, or --insecure if the network is trusted`,
  );
}
