import { type Clock, type Id, type Instant, parseId, secondMs } from "@remit/kernel";
import type { Database, Sql } from "@remit/platform/sql";
import { tenantOfAgent } from "../agents/index.ts";
import * as rows from "./authentication.sql.ts";
import { tenantOfClient } from "./clients.sql.ts";
import { type Client, clientById } from "./clients.ts";

/**
 * A client as this process last read it. That is good enough to check a signature or a secret with, and never enough to
 * act on: whether it still is so, only the database says (`confirmAll`), by the stamp.
 */
export type KnownClient = { readonly client: Client; readonly stamp: string; readonly readAt: Instant };

/** The clients in use, in memory and bounded. The memory is never the authority on anything. */
export type KnownClients = {
  /** From memory, or read now; undefined for what is no agent's, merchant's or management client. */
  find(id: string): KnownClient | Promise<KnownClient | undefined>;
  /** It has changed: to be read again at the next use. */
  forget(id: string): void;
  /** It did not prove itself by what we know of it, which may be out of date. No more than once a second, whoever asks. */
  doubt(known: KnownClient): void;
};

const knownMax = 10_000;

export function createKnownClients({ db, clock }: Deps): KnownClients {
  const known = new Map<string, KnownClient>();
  const load = async (id: string): Promise<KnownClient | undefined> => {
    const found = await readClient({ db, clock }, id);
    // One that may not act is not kept: nothing would tell us when it may again.
    if (found?.client.live !== true) return found;
    // A Map keeps insertion order: its first entry is the one that was read longest ago.
    if (known.size >= knownMax) known.delete(known.keys().next().value ?? "");
    known.set(id, found);
    return found;
  };
  return {
    find: (id) => known.get(id) ?? load(id),
    forget: (id) => void known.delete(id),
    doubt: ({ client, readAt }) => {
      if (clock.now() - readAt > secondMs) known.delete(client.id);
    },
  };
}

type Deps = { readonly db: Database; readonly clock: Clock };

/** The stamp is read first: what comes after it is as old as the stamp or newer, and newer is found out. */
async function readClient({ db, clock }: Deps, id: string): Promise<KnownClient | undefined> {
  const readAt = clock.now();
  const tenant = await tenantOf(db.single, id);
  if (tenant === undefined) return undefined;
  const stamp = await db.of(tenant).transaction((tx) => rows.stampOf(tx, id));
  const client = stamp === undefined ? undefined : await clientById(db, id);
  return stamp === undefined || client === undefined ? undefined : { client, stamp, readAt };
}

async function tenantOf(tx: Sql, id: string): Promise<Id<"tenant"> | undefined> {
  const agent = parseId("agent", id);
  if (agent !== undefined) return tenantOfAgent(tx, agent);
  const client = parseId("client", id);
  return client === undefined ? undefined : tenantOfClient(tx, client);
}
