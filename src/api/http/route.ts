import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { ErrorCode } from "../../base/errors.ts";
import { readBody, readQuery } from "./json-body.ts";
import { keyOf } from "./request-context.ts";

/** What routes are about; the document has a section for each. */
export const nouns = [
  "repos",
  "commits",
  "files",
  "uploads",
  "blocks",
  "pipelines",
  "jobs",
  "store",
  "daemon",
] as const;

/** What a request carries besides its URL. */
export interface Body<B> {
  readonly type: string;
  readonly text: string;
  /** Of JSON; bytes have none, and are read by the handler. */
  readonly shape?: z.ZodType<B>;
  /** What the document shows instead of the shape. */
  readonly shown?: () => object;
}

/** What a request that succeeds is answered with; without a type it has no body. */
export interface Answer<A> {
  readonly status: number;
  readonly text: string;
  readonly type?: string;
  /** Of JSON. */
  readonly shape?: z.ZodType<A>;
  /** Of a line, where each is JSON. */
  readonly line?: z.ZodType;
  /** Of the data of server-sent events, by their names. */
  readonly events?: Readonly<Record<string, z.ZodType>>;
}

/** All that callers are told of a route; the document is made of these. */
export interface Route<Path extends string, Q, B, A> {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** `/repos/{repo}`; `{path}`, always the last, takes the rest of the URL with its slashes. */
  readonly path: Path;
  readonly noun: (typeof nouns)[number];
  /** What it does, in a line. */
  readonly summary: string;
  /** What is to be known besides. */
  readonly text?: string;
  /** A strict object; without one there are no parameters. */
  readonly query?: z.ZodType<Q>;
  readonly body?: Body<B>;
  readonly answer: Answer<A>;
  /** Other ways of success. */
  readonly otherwise?: readonly Answer<unknown>[];
  /** Refusals of its own, besides those that every route may answer with. */
  readonly errors?: readonly ErrorCode[];
  /** Takes an Idempotency-Key. */
  readonly isKeyed?: boolean;
  /** Takes a Range. */
  readonly isRanged?: boolean;
  /** Its events have ids, and it takes a Last-Event-ID. */
  readonly isResumed?: boolean;
}

/** A route as the document sees it. */
export type AnyRoute = Route<string, unknown, unknown, unknown>;

/** The names in braces. */
type ParamsOf<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? { readonly [K in Name]: string } & ParamsOf<Rest>
  : object;

/** A request as its handler gets it: read and checked. */
export interface RestCall<Path extends string, Q, B> {
  readonly params: ParamsOf<Path>;
  readonly query: Q;
  readonly body: B;
  /** Of a route that takes keys, when the caller gave one. */
  readonly key: { readonly key?: string };
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

const noQuery = z.strictObject({});

/** The routes of the REST API: none is there that is not described. */
export class RestRoutes {
  /** In the order in which they were added. */
  readonly described: AnyRoute[];
  private readonly server: FastifyInstance;
  private readonly prefix: string;

  constructor(server: FastifyInstance, prefix = "", described: AnyRoute[] = []) {
    this.server = server;
    this.prefix = prefix;
    this.described = described;
  }

  /** The same routes, to add more whose paths begin with the prefix. */
  below(prefix: string): RestRoutes {
    return new RestRoutes(this.server, prefix, this.described);
  }

  /** The methods of the routes that a URL may be of. */
  methodsAt(url: string): string[] {
    const [given = ""] = url.split("?", 1);
    const methods = this.described
      .filter(({ path }) => patternOf(path).test(given))
      .map(({ method }) => method);
    return [...new Set(methods)].toSorted();
  }

  /**
   * Adds a route. The handler resolves with the JSON of the answer, with nothing when that has no body,
   * or with the reply when it sent the answer itself.
   */
  add<const Path extends string, A, Q = object, B = undefined>(
    route: Route<Path, Q, B, A>,
    handler: (
      call: RestCall<Path, Q, B>,
    ) => Promise<NoInfer<A> | FastifyReply> | NoInfer<A> | FastifyReply,
  ): void {
    const { answer, body } = route;
    const query: z.ZodType = route.query ?? noQuery;
    const path = `${this.prefix}${route.path}`;
    this.described.push({ ...route, path });
    this.server.route({
      method: route.method,
      url: path.replace("{path}", "*").replace(/\{(\w+)\}/g, ":$1"),
      handler: async (request, reply) => {
        const call = {
          params: paramsOf(request) as ParamsOf<Path>,
          query: readQuery(request, query) as Q,
          body: (body?.shape === undefined ? undefined : await readBody(request, body.shape)) as B,
          key: route.isKeyed === true ? keyOf(request) : {},
          request,
          reply,
        };
        const value = await handler(call);
        if (value === reply) return reply;
        void reply.code(answer.status);
        return answer.type === undefined ? await reply.send() : value;
      },
    });
  }
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace("{path}", ".*").replace(/\{\w+\}/g, "[^/]+")}$`);
}

function paramsOf(request: FastifyRequest): object {
  const { "*": path, ...named } = request.params as Readonly<Record<string, string>>;
  return path === undefined ? named : { ...named, path };
}

/** Answers with JSON. */
export function json<A>(shape: z.ZodType<A>, text: string, status = 200): Answer<A> {
  return { status, text, shape, type: "application/json" };
}

/** Answers that it is done, without a body. */
export function nothing(text: string): Answer<void> {
  return { status: 204, text };
}

/** Answers with bytes that the handler sends. */
export function bytes(type: string, text: string, status = 200): Answer<FastifyReply> {
  return { status, text, type };
}

/** Answers with a JSON value a line, which the handler sends. */
export function jsonLines(shape: z.ZodType, text: string): Answer<FastifyReply> {
  return { status: 200, text, type: "application/x-ndjson", line: shape };
}

/** Takes JSON, of at most 16 MiB, whatever its Content-Type. */
export function jsonBody<B>(shape: z.ZodType<B>, text: string, shown?: () => object): Body<B> {
  const body = { type: "application/json", text, shape };
  return shown === undefined ? body : { ...body, shown };
}

/** Takes bytes. */
export function bytesBody(type: string, text: string): Body<undefined> {
  return { type, text };
}
