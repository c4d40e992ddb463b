import type { ObjectStore } from "./object-store.ts";

/** One call of a store, as who makes it fail or wait sees it. */
export interface ObjectCall {
  readonly name: "create" | "write" | "seal" | "abort" | "read" | "stat" | "list" | "remove";
  /** The key; the prefix of a listing. */
  readonly key: string;
}

/** What happens around each call. What it throws, the call throws: before anything was done, or after all was. */
export interface Around {
  before(call: ObjectCall): Promise<void>;
  after(call: ObjectCall): Promise<void>;
}

/** A store whose calls fail, wait or lose their answers as they are told to. */
export function faulting(store: ObjectStore, around: Around): ObjectStore {
  const call = async <T>(
    name: ObjectCall["name"],
    key: string,
    work: () => Promise<T>,
  ): Promise<T> => {
    await around.before({ name, key });
    const done = await work();
    await around.after({ name, key });
    return done;
  };
  return {
    create: (key, called) =>
      call("create", key, async () => {
        const writer = await store.create(key, called);
        return {
          write: (bytes) => call("write", key, () => writer.write(bytes)),
          seal: () => call("seal", key, () => writer.seal()),
          abort: () => call("abort", key, () => writer.abort()),
        };
      }),
    read: (key, range, called) => call("read", key, () => store.read(key, range, called)),
    stat: (key, called) => call("stat", key, () => store.stat(key, called)),
    remove: (key, called) => call("remove", key, () => store.remove(key, called)),
    async *list(prefix, called) {
      await around.before({ name: "list", key: prefix });
      yield* store.list(prefix, called);
      await around.after({ name: "list", key: prefix });
    },
    close: () => store.close(),
  };
}
