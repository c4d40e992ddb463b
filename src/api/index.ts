export { openHttpServer, type HttpServer, type HttpServerOptions } from "./http/server.ts";
export type { LocalDoor } from "./http/local-door.ts";
