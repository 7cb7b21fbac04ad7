import { after, type Id, type Instant, minuteMs } from "@remit/kernel";
import { newEvent } from "@remit/protocol";
import { claimFirstUse } from "../once/index.ts";
import type { Database } from "../sql/index.ts";

/** What is bound to a key was presented with another: a token or a key has left its host, or somebody mixes them up. */
export type KeyMismatch = {
  /** The client whose it is, and its tenant. */
  readonly client: string;
  readonly tenant: Id<"tenant">;
  /** What was presented with the other key. */
  readonly what: "access_token" | "client_assertion" | "client_secret" | "presentation";
  /** Thumbprints (RFC 7638). `presented` is undefined where no proof came along at all. */
  readonly bound: string;
  readonly presented: string | undefined;
  readonly now: Instant;
};

/** Keeps what was refused because it was presented with another key than its own (G09). */
export type Misuses = { readonly keyMismatch: (seen: KeyMismatch) => Promise<void> };

/**
 * At most one event a minute for each client: whoever has a stolen token may make as many keys as it likes, and must not
 * fill its owner's log. The first of a minute tells all that its owner has to know.
 */
export const createMisuses = (db: Database, service: string): Misuses => ({
  async keyMismatch({ client, tenant, what, bound, presented = null, now }) {
    const key = `key-mismatch:${client}:${Math.floor(now / minuteMs)}`;
    await db.of(tenant).transaction(async (tx) => {
      if (!(await claimFirstUse(tx, key, after(now, 2 * minuteMs)))) return;
      const payload = { what, bound, presented };
      const actor = { type: "system", id: service } as const;
      await tx.record(newEvent("security.key_mismatch", { tenant, actor, subject: client, payload }, now));
    });
  },
});
