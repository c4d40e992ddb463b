import { dispatcherConformance } from "../testing/conformance.ts";
import { MemJobServer } from "./open-mem-dispatcher.ts";

dispatcherConformance("mem", async () => {
  const server = new MemJobServer();
  return await Promise.resolve(() => server.open());
});
