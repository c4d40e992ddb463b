import type { Attached } from "./attach/attach.ts";
import { detach, type AttachDeps } from "./attach/mount-point.ts";
import { serve, type ServeOptions } from "./fuse/serve.ts";

/** Answers for what is attached to a directory until it is taken away, and gives the device back. */
export async function answer(
  attached: Attached,
  served: Omit<ServeOptions, "device">,
  deps: AttachDeps,
): Promise<void> {
  try {
    await serve({ ...served, device: attached.device });
  } catch (error) {
    // Nobody answers any more: who waits for an answer is not to wait for ever.
    await detach(attached.mounted, { lazy: true }, deps).catch(() => undefined);
    throw error;
  } finally {
    await attached.close();
  }
}
