import type { S3Place } from "./s3-url.ts";

/** Of a transform: its command is a web server, to which the files of its input are POSTed. */
export interface ServerSpec {
  /** Where files are POSTed to; the next one when the server knows none of the one before. `{name}` is the file's name. */
  readonly routes: readonly string[];
  /** Where it listens in a container. Default: 80. */
  readonly port?: number;
  /** Requests at a time to one server. */
  readonly parallel: number;
  /** Of one request; 0: as long as it takes. */
  readonly timeoutMs: number;
  /** The directory whose files are POSTed; empty: the root. */
  readonly dir: string;
  /** Those below it too. Default: no. */
  readonly deep?: boolean;
  /** In place of a directory, an s3 url: all objects whose keys begin so, under their whole keys. */
  readonly objects?: string;
  /** No more files than this, by name; 0: all of them. */
  readonly limit: number;
  /** All files as one stream, the answer to which is this file. Default: each for itself, under its own name. */
  readonly output?: string;
}

/** A file to be POSTed. */
export interface PostedFile {
  /** In the view of the input; of an object, its key. */
  readonly path: string;
  readonly bytes: number;
  /** Of an object: any other is refused. */
  readonly version?: string;
}

/** What one task has to do with a server. */
export interface ServerWork extends ServerSpec {
  readonly files: readonly PostedFile[];
  /** Where they are, of objects. */
  readonly place?: S3Place;
  /** Names of files that were in the input before, and whose output goes. */
  readonly gone: readonly string[];
}

/** What a file is called in the input's directory, and its output. */
export function nameIn({ dir }: Pick<ServerSpec, "dir">, path: string): string {
  return dir === "" ? path : path.slice(dir.length + 1);
}
