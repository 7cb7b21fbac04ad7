import { randomBytes } from "node:crypto";
import { InvariantViolation, invariant, Secret } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { StartRefused } from "../host/index.ts";
import type { Database, Sql } from "../sql/index.ts";
import type { Log } from "../telemetry/index.ts";
import {
  insertKekState,
  type KekState,
  keepCurrentKek,
  readKekState,
  rowOfBefore,
  type WrappedRow,
} from "./kek.sql.ts";
import type { Kek, KekEngine, Wrapped } from "./kek.ts";
import type { KekSource } from "./kek-files.ts";
import { dataKeyAad, rootAad, signingKeyAad } from "./places.ts";

/** The key-encryption keys of a database, following its rotations. */
export type OpenKek = Kek & {
  readonly source: KekSource;
  /** The key of that id; a Problem `unavailable` when it is not at hand. */
  engine(id: string): Promise<KekEngine>;
  close(): void;
};

export type OpenKekOptions = { readonly db: Database; readonly source: KekSource; readonly log: Log };

/** Notified when another key wraps, and when nothing is under the former one any more. */
export const kekChannel = "key_encryption";

/**
 * Opens the key-encryption keys of this database. At the very first start the root secret is made; a database that is
 * under a key we do not have is refused. From then on the database says which key wraps, and we follow.
 */
export async function openKek({ db, source, log }: OpenKekOptions): Promise<OpenKek> {
  const state = (await db.global.transaction(readKekState)) ?? (await firstState(db, source));
  // A key once seen is kept as long as we run: a row read before it was rewrapped is opened after.
  const engines = new Map<string, KekEngine>();
  const engine = async (id: string): Promise<KekEngine> => {
    const found = engines.get(id) ?? (await source.find(id));
    if (found === undefined)
      throw new Problem("unavailable", { private: { because: `key-encryption key ${id} is not here` } });
    engines.set(id, found);
    return found;
  };
  const unwrap = async ({ wrapped, kek, aad }: Wrapped & { aad: string }): Promise<Uint8Array> =>
    (await engine(kek ?? state.first)).unwrap({ wrapped, aad });
  for (const id of [state.current, state.former])
    if (id !== null && (await source.find(id)) === undefined) throw foreign(id, source);
  let { current } = state;
  const take = async ({ current: id, former }: KekState): Promise<void> => {
    await engine(id);
    current = id;
    if (former === null) await source.settle(id);
    else await engine(former);
  };
  const follow = async (tx?: Sql): Promise<void> => {
    const now = tx === undefined ? await db.global.transaction(readKekState) : await readKekState(tx);
    invariant(now !== undefined, "an opened database says which key wraps");
    await take(now);
  };
  await take(state);
  const root = await unwrap({ wrapped: state.root_wrapped, kek: state.root_kek, aad: rootAad });
  const stop = db.listen(kekChannel, () => {
    follow().catch((err: unknown) => log.error({ err }, "the key-encryption key in use cannot be read"));
  });
  return {
    root: new Secret(root),
    source,
    engine,
    wrap: async (message) => {
      const by = await engine(current);
      return { wrapped: await by.wrap(message), kek: by.id };
    },
    unwrap,
    holds: async (tx, id) => (await keepCurrentKek(tx)) === id,
    follow,
    close: stop,
  };
}

const foreign = (id: string, { remedy }: KekSource): StartRefused =>
  new StartRefused(
    `the database belongs to an installation with another key-encryption key (${id.slice(0, 12)}…)`,
    remedy,
  );

/**
 * The first start with this database: a root secret is made at random. Where data is there from before there was one,
 * secrets were derived from the key itself, and their root is kept, so that they stay what they are.
 */
async function firstState(db: Database, source: KekSource): Promise<KekState> {
  const key = await source.first();
  const before = await db.global.transaction(rowOfBefore);
  if (before !== undefined && !(await opens(key, before))) throw foreign("unnamed", source);
  const root = (before === undefined ? undefined : key.root?.reveal()) ?? randomBytes(32);
  const wrapped = await key.wrap({ plaintext: root, aad: rootAad });
  return db.global.transaction(async (tx) => {
    await insertKekState(tx, { id: key.id, root: wrapped });
    const state = await readKekState(tx);
    invariant(state !== undefined, "of several first starts one has written its state");
    return state;
  });
}

async function opens(key: KekEngine, row: WrappedRow): Promise<boolean> {
  try {
    await key.unwrap({ wrapped: row.wrapped, aad: aadOf(row) });
    return true;
  } catch (error) {
    if (error instanceof InvariantViolation) return false;
    throw error;
  }
}

export const aadOf = ({ kind, name, purpose }: WrappedRow): string =>
  kind === "data" ? dataKeyAad(name) : signingKeyAad(purpose ?? "", name);
