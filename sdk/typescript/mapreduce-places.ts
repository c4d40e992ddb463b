import { createHash, createHmac, randomUUID } from "node:crypto";
import { Readable } from "node:stream";

type Piece = string | Uint8Array;
/** What is stored: all at once, or as it comes. */
export type Content = Piece | Iterable<Piece> | AsyncIterable<Piece>;

/** `pfs://repo/branch/path`, or with a number behind the branch, in the parts of the API's addresses. */
const pfsUri = /^pfs:\/\/([^/]+)\/([^/]+?)(?:\/(\d+))?\/(.+)$/s;
const s3Uri = /^s3:\/\/([^/?]+)\/(.+?)(?:\?((?:endpoint|region)=.*))?$/s;
const httpUri = /^https?:\/\//i;

/** Files elsewhere, by their addresses: `s3://`, `http://`, `https://` and `pfs://`. */
export class Places {
  private readonly settings: Settings;

  constructor(settings: Settings) {
    this.settings = settings;
  }

  /** Opens a file; read it to its end. @throws Error when it is not there, or breaks off */
  async open(uri: string): Promise<Readable> {
    if (s3Uri.test(uri)) {
      const { object, s3 } = this.s3Of(uri);
      return readable(await s3.get(object));
    }
    const [, repo = "", branch = "", number, path = ""] = pfsUri.exec(uri) ?? [];
    if (repo !== "") {
      const commit = number === undefined ? branch : `${branch}/${number}`;
      return readable(
        await this.pfs("GET", uri, ["repos", repo, "commits", commit, "files", path]),
      );
    }
    if (httpUri.test(uri)) return readable(await ask("GET", uri));
    throw unknownPlace("open", uri);
  }

  /** Stores a file in the place of what is there, and gives back where. */
  async put(key: string, content: Content): Promise<string> {
    const uri = /^[a-z][a-z0-9]*:\/\//i.test(key) ? key : this.uriOf(key);
    if (s3Uri.test(uri)) {
      const { object, s3 } = this.s3Of(uri);
      await s3.put(object, piecesOf(content));
      return uri;
    }
    const [, repo = "", branch = "", number, path = ""] = pfsUri.exec(uri) ?? [];
    if (number !== undefined) throw new Error(`Cannot put ${uri}: name a branch, without a number`);
    if (repo !== "") {
      const parts = ["repos", repo, "branches", branch, "files", path];
      const { id } = (await (await this.pfs("PUT", uri, parts, content)).json()) as { id: string };
      return `pfs://${repo}/${id}/${path}`;
    }
    if (!httpUri.test(uri)) throw unknownPlace("put", uri);
    await (await ask("PUT", uri, { content })).body?.cancel();
    return uri;
  }

  private uriOf(key: string): string {
    const { settings } = this;
    const name = key.replace(/^\/+/, "");
    const bucket = settings.find("KUBEMR_S3_BUCKET_NAME");
    if (bucket === undefined)
      return `pfs://${settings.find("PACH_OUTPUT_REPO") ?? ""}/puts/${name}`;
    const prefix = settings.find("KUBEMR_S3_BUCKET_PREFIX") ?? "";
    const job = settings.find("KUBEMR_JOB_NAME") ?? "";
    const path = [prefix, job, name].map((part) => part.replace(/^\/+|\/+$/g, ""));
    return `s3://${bucket}/${path.filter((part) => part !== "").join("/")}`;
  }

  private s3Of(uri: string): { object: S3Object; s3: S3 } {
    const [, bucket = "", key = "", query = ""] = s3Uri.exec(uri) ?? [];
    const given = new URLSearchParams(query);
    const s3 = this.settings.s3(given.get("endpoint"), given.get("region"));
    return { object: { bucket, key }, s3: new S3(s3) };
  }

  private async pfs(
    method: string,
    shown: string,
    parts: readonly string[],
    content?: Content,
  ): Promise<Response> {
    requirePlain(parts.join("/"), shown);
    const path = parts.map((part, i) => encoded(part).replaceAll("%2F", i === 5 ? "/" : "%2F"));
    const address = this.settings.find("ADDRESS") ?? "127.0.0.1:30650";
    const token = this.settings.find("PACH_TOKEN");
    return await ask(method, `http://${address}/api/v1/${path.join("/")}`, {
      shown,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(method === "GET" ? {} : { "idempotency-key": randomUUID() }),
      },
      ...(content === undefined ? {} : { content }),
    });
  }
}

/** The runtime takes "." and ".." out of every address: it would reach something else. */
function requirePlain(path: string, uri: string): void {
  if (/(^|\/)\.\.?(\/|$)/.test(path))
    throw new Error(`Cannot reach ${uri}: no part of it may be "." or ".."`);
}

function unknownPlace(what: string, uri: string): Error {
  const known = "s3://BUCKET/KEY, http(s):// and pfs://REPO/COMMIT/PATH";
  return new Error(`Cannot ${what} ${uri}: only ${known} are known`);
}

/** Sends a request. An answer other than 2xx is an error, never content. */
async function ask(
  method: string,
  uri: string,
  options: { headers?: Record<string, string>; content?: Content; shown?: string } = {},
): Promise<Response> {
  const { content, shown = uri } = options;
  const url = new URL(uri);
  const headers: Record<string, string> = { ...options.headers };
  if (url.username !== "") {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers["authorization"] = `Basic ${Buffer.from(pair).toString("base64")}`;
  }
  url.username = url.password = "";
  const body =
    content === undefined
      ? {}
      : isWhole(content)
        ? { body: content }
        : { body: Readable.toWeb(Readable.from(piecesOf(content))), duplex: "half" };
  const request = { method, headers, ...body } as RequestInit;
  const answer = await fetch(url, request).catch((error: Error) => {
    throw new Error(`Cannot reach ${shown}: ${causeOf(error)}`);
  });
  if (answer.ok) return answer;
  const text = (await answer.text()).slice(0, 500);
  const verb = method === "GET" ? "read" : "store";
  throw new Error(`Cannot ${verb} ${shown}: the server answered ${answer.status} ${text}`);
}

function causeOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/** What breaks off is an error of the stream. */
function readable({ body }: Response): Readable {
  return body === null ? Readable.from([]) : Readable.fromWeb(body as never);
}

function isWhole(content: Content): content is Piece {
  return typeof content === "string" || content instanceof Uint8Array;
}

async function* piecesOf(content: Content): AsyncGenerator<Buffer, void, void> {
  for await (const piece of isWhole(content) ? [content] : content)
    yield typeof piece === "string"
      ? Buffer.from(piece)
      : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
}

/** What a program is told by its environment and by the secret of its job. */
export class Settings {
  private readonly env: Readonly<Record<string, string | undefined>>;
  private readonly readFile: (path: string) => Buffer | undefined;

  /** @param readFile undefined for a file that is not there */
  constructor(
    env: Readonly<Record<string, string | undefined>>,
    readFile: (path: string) => Buffer | undefined,
  ) {
    this.env = env;
    this.readFile = readFile;
  }

  /** A value of the secret that `usersecretname` names; undefined when it has none of this name. */
  secret(name: string): Buffer | undefined {
    const directory = this.env["PACH_SECRET_DIR"];
    if (directory === undefined || !/^[^/]+$/.test(name) || /^\.\.?$/.test(name)) return undefined;
    return this.readFile(`${directory}/${name}`);
  }

  /** The first of these that the secret says, or else the environment; empty is as good as absent. */
  find(...names: readonly string[]): string | undefined {
    for (const name of names) {
      const value = this.secret(name)?.toString().trim() ?? "";
      if (value !== "") return value;
    }
    return names.map((name) => this.env[name] ?? "").find((value) => value !== "");
  }

  /** How to reach S3. An address that says more counts more. */
  s3(endpoint: string | null, region: string | null): S3Settings {
    const place =
      region ?? this.find("KUBEMR_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION") ?? "us-east-1";
    const names = ["KUBEMR_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
    const key = this.find(...keyNames("ACCESS_KEY_ID"));
    const secret = this.find(...keyNames("SECRET_ACCESS_KEY"));
    const session = this.find("AWS_SESSION_TOKEN");
    const url = endpoint ?? this.find(...names) ?? `https://s3.${place}.amazonaws.com`;
    return {
      endpoint: url.replace(/\/+$/, ""),
      region: place,
      ...(key === undefined || secret === undefined ? {} : { keys: { key, secret } }),
      ...(session === undefined ? {} : { session }),
    };
  }
}

function keyNames(name: string): string[] {
  return ["AWS_", "KUBEMR_S3_", "S3_"].map((prefix) => `${prefix}${name}`);
}

/** Where S3 is, and who asks. */
export interface S3Settings {
  readonly endpoint: string;
  readonly region: string;
  /** Default: nobody; requests are not signed. */
  readonly keys?: { readonly key: string; readonly secret: string };
  readonly session?: string;
}

/** An object. */
export interface S3Object {
  readonly bucket: string;
  readonly key: string;
}

/** One request about an object. */
interface S3Request {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** S3 has no part smaller than 5 MiB; one is in memory at a time. */
const partBytes = 8 * 1024 * 1024;

/** Objects of S3, or of what speaks like it, without the SDK: what a map or reduce function reads and writes. */
export class S3 {
  private readonly settings: S3Settings;

  constructor(settings: S3Settings) {
    this.settings = settings;
  }

  /** The bytes of an object. @throws Error with what S3 says */
  async get(object: S3Object): Promise<Response> {
    return await this.send(object, { method: "GET" });
  }

  /** Stores an object; nobody sees a part of it. @throws Error with what S3 says */
  async put(object: S3Object, content: AsyncIterable<Uint8Array>): Promise<void> {
    let id: string | undefined;
    const etags: string[] = [];
    let last: Buffer = Buffer.alloc(0);
    try {
      for await (const part of partsOf(content)) {
        if (last.length > 0) {
          id ??= await this.begin(object);
          etags.push(await this.part(object, { id, number: etags.length + 1, body: last }));
        }
        last = part;
      }
      if (id === undefined) {
        await this.discard(await this.send(object, { method: "PUT", body: last }));
        return;
      }
      etags.push(await this.part(object, { id, number: etags.length + 1, body: last }));
      await this.complete(object, id, etags);
    } catch (error) {
      if (id !== undefined) await this.abort(object, id);
      throw error;
    }
  }

  private async begin(object: S3Object): Promise<string> {
    const answer = await this.send(object, { method: "POST", query: { uploads: "" } });
    const [, id] = /<UploadId>([^<]+)<\/UploadId>/.exec(await answer.text()) ?? [];
    if (id === undefined) throw new Error(`S3 began no upload of ${shown(object)}`);
    return id;
  }

  private async part(
    object: S3Object,
    { id, number, body }: { id: string; number: number; body: Buffer },
  ): Promise<string> {
    const query = { partNumber: String(number), uploadId: id };
    const answer = await this.send(object, { method: "PUT", query, body });
    await this.discard(answer);
    return answer.headers.get("etag") ?? "";
  }

  private async complete(object: S3Object, id: string, etags: readonly string[]): Promise<void> {
    const parts = etags.map(
      (etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
    );
    const body = Buffer.from(
      `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`,
    );
    const query = { uploadId: id };
    const text = await (await this.send(object, { method: "POST", query, body })).text();
    // It answers before it is done, and may fail afterwards.
    if (text.includes("<Error>")) throw new Error(`Cannot store ${shown(object)}: ${why(text)}`);
  }

  private async abort(object: S3Object, id: string): Promise<void> {
    const query = { uploadId: id };
    // What went wrong before says more.
    await this.send(object, { method: "DELETE", query }).catch(() => undefined);
  }

  private async discard(answer: Response): Promise<void> {
    await answer.body?.cancel();
  }

  private async send(object: S3Object, request: S3Request): Promise<Response> {
    const { method, query = {}, body = Buffer.alloc(0) } = request;
    requirePlain(`${object.bucket}/${object.key}`, shown(object));
    const path = `/${object.bucket}/${object.key}`.split("/").map(encoded).join("/");
    const search = queryText(query);
    const url = `${this.settings.endpoint}${path}${search === "" ? "" : `?${search}`}`;
    const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
    const headers = {
      "content-type": "application/octet-stream",
      ...signed(this.settings, { method, url: new URL(url), search, body, time }),
    };
    const payload = method === "GET" || method === "DELETE" ? {} : { body };
    const answer = await fetch(url, { method, headers, ...payload }).catch((error: Error) => {
      throw new Error(`Cannot reach ${shown(object)}: ${causeOf(error)}`);
    });
    if (answer.ok) return answer;
    throw new Error(
      `Cannot ${method === "GET" ? "read" : "store"} ${shown(object)}: S3 answered ${answer.status} ${why(await answer.text())}`,
    );
  }
}

/** What is signed of a request. */
export interface Signed {
  readonly method: string;
  readonly url: URL;
  /** The query, sorted and encoded. */
  readonly search: string;
  readonly body: Buffer;
  /** `20130524T000000Z` */
  readonly time: string;
}

/** The headers that say who sends a request (AWS Signature Version 4). */
export function signed(
  { region, keys, session }: Omit<S3Settings, "endpoint">,
  { method, url, search, body, time }: Signed,
): Record<string, string> {
  if (keys === undefined) return {};
  const digest = createHash("sha256").update(body).digest("hex");
  const headers: Record<string, string> = {
    "x-amz-content-sha256": digest,
    "x-amz-date": time,
    ...(session === undefined ? {} : { "x-amz-security-token": session }),
  };
  const all = { host: url.host, ...headers };
  const names = Object.keys(all).join(";");
  const lines = Object.entries(all).map(([name, value]) => `${name}:${value}\n`);
  const canonical = [method, url.pathname, search, lines.join(""), names, digest].join("\n");
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
  const hashed = createHash("sha256").update(canonical).digest("hex");
  const toSign = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hashed}`;
  let key = Buffer.from(`AWS4${keys.secret}`);
  for (const part of scope.split("/")) key = createHmac("sha256", key).update(part).digest();
  const signature = createHmac("sha256", key).update(toSign).digest("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=${keys.key}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return { ...headers, authorization };
}

function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function queryText(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .toSorted()
    .join("&");
}

/** Pieces of the size of a part, the last one shorter; one, empty, of nothing. */
async function* partsOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (let piece of content) {
    while (bytes + piece.length > partBytes) {
      const taken = partBytes - bytes;
      yield Buffer.concat([...pieces, piece.subarray(0, taken)]);
      piece = piece.subarray(taken);
      pieces = [];
      bytes = 0;
    }
    // Whoever gave it may use its memory again.
    pieces.push(Buffer.from(piece));
    bytes += piece.length;
  }
  yield Buffer.concat(pieces);
}

function shown({ bucket, key }: S3Object): string {
  return `s3://${bucket}/${key}`;
}

function why(text: string): string {
  const [, code = ""] = /<Code>([^<]*)<\/Code>/.exec(text) ?? [];
  const [, message = ""] = /<Message>([^<]*)<\/Message>/.exec(text) ?? [];
  return [code, message].filter((part) => part !== "").join(": ");
}
