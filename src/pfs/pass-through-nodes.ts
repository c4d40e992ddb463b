import { MiB } from "../base/size.ts";
import type { NodeSink, NodeSource } from "../storage/index.ts";

/** Nodes just written are kept this long for those who read them back while the work goes on. */
const keptBytesMax = 48 * MiB;

/** A sink whose newest nodes can be read back at once, before the pack that holds them is sealed. */
export function passThroughNodes(
  sink: NodeSink,
  source: NodeSource,
): { sink: NodeSink; source: NodeSource } {
  const kept = new Map<string, Buffer>();
  let bytes = 0;
  return {
    sink: {
      async put(node) {
        const address = await sink.put(node);
        const key = address.toString("latin1");
        if (!kept.has(key)) bytes += node.length;
        kept.set(key, node);
        for (const [oldest, old] of kept) {
          if (bytes <= keptBytesMax) break;
          kept.delete(oldest);
          bytes -= old.length;
        }
        return address;
      },
    },
    source: {
      async get(address) {
        return kept.get(address.toString("latin1")) ?? (await source.get(address));
      },
    },
  };
}
