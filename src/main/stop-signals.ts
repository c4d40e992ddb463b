import { constants } from "node:os";

/** Settles at the first SIGTERM or SIGINT; the second ends this process at once. */
export async function stopSignal(): Promise<void> {
  await new Promise<void>((resolve) => {
    let isStopping = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      process.on(signal, () => {
        // What runs in sandboxes dies with this process.
        if (isStopping) process.exit(128 + constants.signals[signal]);
        isStopping = true;
        resolve();
      });
  });
}
