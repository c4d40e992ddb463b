import { silentLog, type Log } from "../../../base/log.ts";
import type { TestPfs } from "../../../pfs/testing/open-test-pfs.ts";
import { openTestPps, type TestPps } from "../../../pps/testing/open-test-pps.ts";
import type { LocalDoor } from "../../http/local-door.ts";
import { openHttpServer } from "../../http/server.ts";
import { defaultLimits, type Limits } from "../../limits.ts";
import { GrpcClient } from "./grpc-client.ts";

/** A daemon's port over pfs and pps in the memory of this process. */
export interface TestGrpc {
  readonly address: string;
  readonly pps: TestPps;
  readonly pfs: TestPfs;
  readonly client: GrpcClient;
  /** Failures that should not happen. */
  readonly errors: string[];
  /** A client on a connection of its own. */
  connect(agent?: string): GrpcClient;
  /** Stops the server as the daemon does. */
  stop(signal: AbortSignal): Promise<void>;
}

/** Opens it for one test; it is gone when the test ends. */
export async function openTestGrpc(
  t: { after(work: () => Promise<void>): void },
  {
    token,
    limits = {},
    local,
  }: { token?: string; limits?: Partial<Limits>; local?: LocalDoor } = {},
): Promise<TestGrpc> {
  const pps = openTestPps(t);
  const errors: string[] = [];
  const log: Log = {
    ...silentLog,
    error: (facts, message) => errors.push(`${message}: ${JSON.stringify(facts)}`),
  };
  const server = await openHttpServer({
    pps: pps.deps,
    log,
    version: "test",
    host: "127.0.0.1",
    port: 0,
    allowedHosts: [],
    curlRepo: "data",
    limits: { ...defaultLimits, ...limits },
    token,
    local,
    openBucket: async () => {
      throw new Error("there are no buckets");
    },
  });
  const clients: GrpcClient[] = [];
  const connect = (agent?: string): GrpcClient => {
    const client = new GrpcClient(server.address, agent);
    clients.push(client);
    return client;
  };
  t.after(async () => {
    for (const client of clients) client.close();
    await server.close(AbortSignal.abort());
  });
  return {
    address: server.address,
    pps,
    pfs: pps.pfs,
    client: connect(),
    errors,
    connect,
    stop: async (signal) => await server.close(signal),
  };
}
