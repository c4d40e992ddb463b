import { strict as assert } from "node:assert";
import { KiB } from "../../../src/base/size.ts";
import type { TestDaemon } from "../../e2e/testing/daemon.ts";
import { seededBytes } from "../../e2e/testing/seeded-bytes.ts";

/** What the commits of a repo hold, oldest first. */
export type Commits = readonly { readonly isFinished: boolean; readonly files: Files }[];

type Files = Readonly<Record<string, string>>;

/** Repos by name. */
export type Repos = Readonly<Record<string, Commits>>;

/** A request, and what is there once it has happened. */
export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly json?: object;
  readonly body?: string;
  readonly after: Repos;
}

/** Writes down requests one after the other, with what each leads to. */
export class Script {
  readonly requests: ScriptedRequest[] = [];
  private repos: Repos = {};

  createRepo(repo: string): this {
    this.repos = { ...this.repos, [repo]: [] };
    return this.add("POST", "/repos", { json: { name: repo } });
  }

  deleteRepo(repo: string): this {
    this.repos = Object.fromEntries(Object.entries(this.repos).filter(([name]) => name !== repo));
    return this.add("DELETE", `/repos/${repo}`, {});
  }

  start(repo: string): this {
    this.head(repo, { isFinished: false, files: this.filesOf(repo) }, true);
    return this.add("POST", `/repos/${repo}/commits`, { json: { parent: "master" } });
  }

  put(repo: string, path: string, text: string): this {
    this.head(repo, { isFinished: false, files: appended(this.filesOf(repo), path, text) });
    return this.add("POST", `${this.openCommit(repo)}/files/${path}`, { body: text });
  }

  delete(repo: string, path: string): this {
    const files = Object.entries(this.filesOf(repo)).filter(([name]) => name !== path);
    this.head(repo, { isFinished: false, files: Object.fromEntries(files) });
    return this.add("DELETE", `${this.openCommit(repo)}/files/${path}`, {});
  }

  finish(repo: string): this {
    const path = `${this.openCommit(repo)}/finish`;
    this.head(repo, { isFinished: true, files: this.filesOf(repo) });
    return this.add("POST", path, {});
  }

  /** A put that is a commit of its own. */
  putCommit(repo: string, path: string, text: string): this {
    this.head(repo, { isFinished: true, files: appended(this.filesOf(repo), path, text) }, true);
    return this.add("POST", `/repos/${repo}/branches/master/files/${path}`, { body: text });
  }

  collectGarbage(): this {
    return this.add("POST", "/garbage-collect", {});
  }

  private add(method: string, path: string, sent: { json?: object; body?: string }): this {
    this.requests.push({ method, path, ...sent, after: this.repos });
    return this;
  }

  private filesOf(repo: string): Files {
    return this.repos[repo]?.at(-1)?.files ?? {};
  }

  private openCommit(repo: string): string {
    return `/repos/${repo}/commits/master%2F${this.repos[repo]!.length - 1}`;
  }

  private head(repo: string, commit: Commits[number], isNew = false): void {
    const commits = this.repos[repo] ?? [];
    const before = isNew ? commits : commits.slice(0, -1);
    this.repos = { ...this.repos, [repo]: [...before, commit] };
  }
}

function appended(files: Files, path: string, text: string): Files {
  return { ...files, [path]: (files[path] ?? "") + text };
}

/** Repeatable text of so many bytes that does not compress to much less. */
export function textOf(seed: string, bytes: number): string {
  return seededBytes(seed, bytes).toString("base64").slice(0, bytes);
}

/** A put, a finish, a deletion, garbage collection, small and large, in front of which is what `before` made. */
export function everyWriter(): { before: Script; later: Script } {
  const script = new Script();
  script.createRepo("data").createRepo("victim");
  script.putCommit("victim", "old", textOf("old", 300 * KiB));
  script.putCommit("data", "first", textOf("first", 300 * KiB));
  const count = script.requests.length;
  script.start("data").put("data", "small", textOf("small", 700));
  script.put("data", "large", textOf("large", 400 * KiB));
  script.put("data", "small", textOf("more", 5 * KiB)).finish("data");
  script.putCommit("data", "dir_a", textOf("a", 2 * KiB));
  script.deleteRepo("victim").collectGarbage();
  script.start("data").delete("data", "first").put("data", "dir_a", "appended\n").finish("data");
  script.createRepo("victim").putCommit("victim", "new", textOf("new", 280 * KiB));
  script.collectGarbage().putCommit("victim", "new", "one line\n");
  const before = new Script();
  before.requests.push(...script.requests.splice(0, count));
  return { before, later: script };
}

/** Sends them one after the other; each must succeed. */
export async function sendAll(daemon: TestDaemon, { requests }: Script): Promise<void> {
  for (const { method, path, json, body } of requests) {
    const response = await daemon.fetch(path, {
      method,
      headers: {
        "content-type": json === undefined ? "application/octet-stream" : "application/json",
      },
      body: json === undefined ? (body ?? null) : JSON.stringify(json),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  }
}
