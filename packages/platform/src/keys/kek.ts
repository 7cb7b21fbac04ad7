import { createHmac, randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { Secret } from "@remit/kernel";
import { StartRefused } from "../host/index.ts";

/** The key-encryption key of one installation. The fingerprint says which it is and reveals nothing of it. */
export type Kek = { readonly key: Secret<Uint8Array>; readonly fingerprint: string };

const keyBytes = 32;

/**
 * Reads `<dataDir>/kek` (32 bytes, mode 0600); makes it at the very first start. Whoever loses this file loses what the
 * database has encrypted. A file that others can read is refused.
 */
export async function loadKek(dataDir: string): Promise<Kek> {
  const path = join(dataDir, "kek");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await createOnce(path, randomBytes(keyBytes));
  const { mode } = await stat(path);
  if (process.platform !== "win32" && (mode & 0o077) !== 0)
    throw new StartRefused(`the key file ${path} can be read by others`, `Run: chmod 600 ${path}`);
  const key = await readFile(path);
  if (key.length !== keyBytes)
    throw new StartRefused(`the key file ${path} has not ${keyBytes} bytes`, "Restore it from your backup.");
  return kekOf(key);
}

/** A KEK from its 32 bytes (tests, or a key that comes from elsewhere). */
export const kekOf = (key: Uint8Array): Kek => ({
  key: new Secret(new Uint8Array(key)),
  fingerprint: createHmac("sha256", key).update("remit kek fingerprint").digest("base64url").slice(0, 22),
});

/** Writes the whole file or none; of several that try at once, one wins and the others keep its content. */
export async function createOnce(path: string, content: Uint8Array): Promise<void> {
  if (await exists(path)) return;
  const draft = `${path}.${randomBytes(8).toString("hex")}`;
  const file = await open(draft, "wx", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
  } catch (error) {
    if (!(await exists(path))) throw error;
  } finally {
    await unlink(draft);
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
