import { type Id, type Instant, minuteMs } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import type { UsedCredential } from "../clients/index.ts";
import { saveUses } from "./credentials.sql.ts";

/** When credentials were last used, to the minute or so: kept here and written together, so that no request writes. */
export type LastUses = {
  readonly note: UsedCredential;
  /** Writes what was noted since the last time. */
  readonly flush: () => Promise<void>;
};

/** How often uses are written; what a process noted since is lost with it. */
export const flushMs = minuteMs;
const notedMax = 100_000;

export function createLastUses(db: Database): LastUses {
  let noted = new Map<string, { tenant: Id<"tenant">; at: Instant }>();
  return {
    note(tenant, credential, at) {
      if (noted.size < notedMax || noted.has(credential)) noted.set(credential, { tenant, at });
    },
    flush: async () => {
      const taken = noted;
      noted = new Map();
      const tenants = Map.groupBy(taken, ([, { tenant }]) => tenant);
      for (const [tenant, uses] of tenants) {
        const latest = uses.reduce((most, [, { at }]) => (at > most ? at : most), uses[0]?.[1].at ?? 0);
        const ids = uses.map(([id]) => id);
        await db.of(tenant).transaction((tx) => saveUses(tx, ids, latest as Instant)); // one of those that were noted
      }
    },
  };
}
