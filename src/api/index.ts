export { openHttpServer, type HttpServer, type HttpServerOptions } from "./http/server.ts";
