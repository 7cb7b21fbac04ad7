import { randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, rename, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { StartRefused } from "../host/index.ts";
import { type KekEngine, kekBytes, type LocalKek, localKek } from "./kek.ts";

/** Where key-encryption keys come from. */
export type KekSource = {
  /** The key of a first start; made when there is none. With the root of what was derived from it, where it is local. */
  first(): Promise<KekEngine & Partial<LocalKek>>;
  /** The key of that id, if it is here. */
  find(id: string): Promise<KekEngine | undefined>;
  /** The key to rotate to: another one than `current`. The same again until it is in use. */
  next(current: string): Promise<KekEngine>;
  /**
   * Nothing is under another key than this one any more: the others are destroyed. `former` is named by whoever has just
   * seen to that; without it, only what a settlement that was cut short has left behind.
   */
  settle(current: string, former?: string): Promise<void>;
  /** What to do when a key is missing. */
  readonly remedy: string;
};

/**
 * Keys as files of 32 bytes, for their owner alone: `kek`, and `kek.next` while one is rotated in. Processes on several
 * machines need the same files: put `kek.next` on each of them before a rotation, and it is taken instead of a new one.
 */
export function kekFiles(dataDir: string): KekSource {
  const [path, nextPath] = [join(dataDir, "kek"), join(dataDir, "kek.next")];
  const held = async (): Promise<LocalKek[]> => {
    const found = await Promise.all([path, nextPath].map(readKek));
    return found.filter((key) => key !== undefined);
  };
  const made = async (at: string): Promise<LocalKek> => {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await createOnce(at, randomBytes(kekBytes));
    const key = await readKek(at);
    if (key === undefined) throw new StartRefused(`${at} is gone again`, "Start again.");
    return key;
  };
  return {
    first: () => made(path),
    // Twice: the one may be given the name of the other between two looks.
    find: async (id) =>
      (await held()).find((key) => key.id === id) ?? (await held()).find((key) => key.id === id),
    next: (current) => nextKek({ current, made: () => made(nextPath), settle: () => settle(current) }),
    settle,
    remedy: `Use the data directory that this database was made with (${path}), or another database.`,
  };

  // Several may settle at once: whoever rotated, and who hears of it. Each destroys only what it holds open and has read.
  async function settle(current: string, former?: string): Promise<void> {
    const next = await readKek(nextPath);
    const goes = next?.id === current ? () => rename(nextPath, path) : () => unlink(path);
    if (next !== undefined && next.id !== current) return;
    const old = await open(path, "r+").catch(absent);
    if (old === undefined) {
      // The key came back from elsewhere: it takes its own name, for the next `kek.next` must not be written over it.
      if (next !== undefined) await rename(nextPath, path).catch(absent);
      return;
    }
    try {
      const held = Buffer.alloc(kekBytes);
      await old.read(held, 0, kekBytes, 0);
      const { id } = localKek(held);
      // What is in use now is kept elsewhere, unless it came as `kek.next`.
      if (id === current || (next === undefined && id !== former)) return;
      await goes().catch(absent);
      await old.write(randomBytes(kekBytes), 0, kekBytes, 0);
      await old.sync();
    } finally {
      await old.close();
    }
  }
}

/** For a file that somebody else has moved away already. */
function absent(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}

/** A file that is the current key already was left behind by a settlement that was cut short. */
async function nextKek(of: {
  current: string;
  made: () => Promise<KekEngine>;
  settle: () => Promise<void>;
}): Promise<KekEngine> {
  const key = await of.made();
  if (key.id !== of.current) return key;
  await of.settle();
  return of.made();
}

/** The ids of the keys in a data directory, the first made if there is none: for whoever asks whose a database is. */
export async function kekIdsIn(dataDir: string): Promise<string[]> {
  const first = await kekFiles(dataDir).first();
  const next = await readKek(join(dataDir, "kek.next"));
  return [first.id, ...(next === undefined ? [] : [next.id])];
}

async function readKek(path: string): Promise<LocalKek | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  if (process.platform !== "win32" && (found.mode & 0o077) !== 0)
    throw new StartRefused(`the key file ${path} can be read by others`, `Run: chmod 600 ${path}`);
  const key = await readFile(path).catch(absent);
  if (key === undefined) return undefined;
  if (key.length !== kekBytes)
    throw new StartRefused(`the key file ${path} has not ${kekBytes} bytes`, "Restore it from your backup.");
  return localKek(key);
}

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

/** Two places of keys at once, to move from the second to the first: what is new comes from there, both are looked through. */
export const eitherKek = (to: KekSource, from: KekSource): KekSource => ({
  first: () => to.first(),
  find: async (id) => (await to.find(id)) ?? from.find(id),
  next: (current) => to.next(current),
  async settle(current, former) {
    await to.settle(current, former);
    await from.settle(current, former);
  },
  remedy: to.remedy,
});
