// A process of its own: opens the database it is given, increments a counter, 32 calls in flight, and
// prints each acknowledged value, until it is killed. Says why when it cannot open.
import { isCoded } from "../../base/errors.ts";
import { silentLog } from "../../base/log.ts";
import { openSqliteMetadata } from "../sqlite/open-sqlite.ts";
import { asTestStore, type TestStore } from "./test-procedures.ts";

const path = process.argv[2] ?? "";
const module = new URL("./test-procedures.ts", import.meta.url);

async function incrementForEver(store: TestStore): Promise<never> {
  for (;;) {
    const value = await store.call("increment", { name: "acknowledged" });
    process.stdout.write(`${value}\n`);
  }
}

try {
  const store = asTestStore(await openSqliteMetadata({ path, log: silentLog, module }));
  await Promise.all(Array.from({ length: 32 }, async () => await incrementForEver(store)));
} catch (thrown) {
  if (!isCoded(thrown)) throw thrown;
  process.stdout.write(`${thrown.code}: ${thrown.message}\n`);
}
