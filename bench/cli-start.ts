import { fileURLToPath } from "node:url";
import { run } from "../test/e2e/testing/daemon.ts";
import type { Bed, Row } from "./bench.ts";
import { race } from "./measure.ts";
import { runOk } from "./programs.ts";

const pachctl = fileURLToPath(new URL("../bin/pachctl", import.meta.url));

/** How long a short command takes, beside starting Node. */
export async function* cliStart({ daemon, full }: Bed): AsyncGenerator<Row, void, void> {
  const times = await race({
    rounds: full ? 21 : 7,
    runners: {
      version: () => daemon.ok(["version"]),
      help: () => runOk(pachctl, ["--help"]),
      // Nothing listens there: the command says so and fails.
      alone: () => run(pachctl, ["version"], { env: { ADDRESS: "127.0.0.1:1" } }),
      node: () => runOk(process.execPath, ["-e", "0"]),
    },
  });
  for (const [what, values] of [
    ["pachctl version", times.version],
    ["pachctl version, no daemon there", times.alone],
    ["pachctl --help", times.help],
  ] as const)
    yield { what, unit: "ms", values, peer: { what: "node -e 0", values: times.node } };
}
