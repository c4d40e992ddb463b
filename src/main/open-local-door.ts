import * as fs from "node:fs/promises";
import { join } from "node:path";
import type { LocalDoor } from "../api/index.ts";
import { fileView } from "../base/file-view.ts";
import { randomHex, type Random } from "../base/random.ts";
import { openLocalFiles } from "../localfiles/index.ts";

/**
 * Lets clients of our own user on this machine name files instead of sending them: the secret is made anew at
 * each start. Undefined where nothing tells whether paths mean the same to both.
 */
export async function openLocalDoor(
  root: string,
  { random, opened }: { readonly random: Random; readonly opened: (() => Promise<unknown>)[] },
): Promise<LocalDoor | undefined> {
  const view = await fileView(fs);
  if (view === undefined) return undefined;
  const secretFile = join(await fs.realpath(root), "local-secret");
  const secret = randomHex(random, 32);
  // The mode counts only for a file that is made.
  await fs.rm(secretFile, { force: true });
  await fs.writeFile(secretFile, secret, { mode: 0o600, flag: "wx" });
  const files = openLocalFiles();
  opened.push(() => files.close());
  return { files, view, secretFile, secret };
}
