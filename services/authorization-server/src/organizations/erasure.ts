import { after, dayMs, type Id, type Instant } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import type { Database, TenantTx } from "@remit/platform/sql";
import { newEvent } from "@remit/protocol";
import { tellDirectory } from "../tenants/index.ts";
import * as rows from "./organizations.sql.ts";

export const erasureQueue = "organization_erasures";

const erasedAtOnce = 500;
/**
 * A mandate, what was presented of it and what was disputed is evidence of who allowed a payment, of the class `eidas-10y`, and
 * names its principal. A card network disputes long after an organization has gone.
 */
const mandatesKeptMs = 3_653 * dayMs;
const evidence = ["mandates", "presented", "evidence", "disputes"];
// Under these a tenant's own are sealed, each by the room that has them.
const scopesOf = (tenant: Id<"tenant">): string[] =>
  ["admissions", "approvals", "invitations", "oauth", "signals", "webhooks"].map(
    (kind) => `${kind}:${tenant}`,
  );

/** What is to be erased: all of an organization, or, once their time is over too, its mandates and their like. */
export type Erasing = { readonly tenant: Id<"tenant">; readonly what?: "mandates" };
type Deps = { readonly db: Database; readonly keyring: Keyring };

/**
 * Erases a deleted organization whose time is over: what names somebody or lets somebody in, and the data keys, without
 * which no backup says more. Undefined when it was brought back, else the time to come again, while there is something left.
 */
export function eraseOrganization(
  { db, keyring }: Deps,
  { tenant: id, what }: Erasing,
  now: Instant,
): Promise<{ readonly runAt: Instant } | undefined> {
  return db.of(id).transaction(async (tx) => {
    const standing = await rows.findStanding(tx, id, "update");
    if (what === "mandates") {
      if (standing?.erasedAt !== undefined)
        for (const kind of evidence) await keyring.shred(tx, `${kind}:${id}`);
      return undefined;
    }
    if (standing?.status !== "deleted" || standing.erasedAt !== undefined) return undefined;
    if (standing.eraseAt !== undefined && now < standing.eraseAt) return { runAt: standing.eraseAt };
    if ((await rows.eraseAgents(tx, now, erasedAtOnce)) > 0) return { runAt: now };
    await shred(keyring, tx);
    await rows.eraseRest(tx, now);
    await rows.saveStanding(tx, { ...standing, slug: undefined, erasedAt: now, changedAt: now });
    const actor = { type: "system", id: "authorization-server" } as const;
    await tx.record(newEvent("tenant.erased", { tenant: id, actor, subject: id }, now));
    await tellDirectory(tx);
    const payload: Erasing = { tenant: id, what: "mandates" };
    const runAt = after(now, mandatesKeptMs);
    await enqueue(tx, { queue: erasureQueue, key: `${id} mandates`, payload, runAt });
    return undefined;
  });
}

async function shred(keyring: Keyring, tx: TenantTx): Promise<void> {
  const providers = (await rows.listProviders(tx)).map((id) => `identity-provider:${id}`);
  for (const scope of [...scopesOf(tx.tenant), ...providers]) await keyring.shred(tx, scope);
}
