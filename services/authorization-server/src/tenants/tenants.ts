import { type Id, type Instant, newId } from "@remit/kernel";
import type { Sql, TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent } from "@remit/protocol";
import * as rows from "./tenants.sql.ts";

export type TenantKind = "personal" | "company" | "platform";

/** An organization in the API. Every principal account has a personal one. */
export type Tenant = {
  readonly id: Id<"tenant">;
  readonly name: string;
  readonly kind: TenantKind;
  readonly createdAt: Instant;
};

/** The tenant of Remit's own services and of the operator. */
export { platformTenant } from "@remit/platform/http";

export const newTenantId = (): Id<"tenant"> => newId("tenant");

/** Who makes a tenant of somebody else, and what it is called among all. Throws on the constraint `tenant_standings_slug`. */
export type Made = {
  readonly slug?: string;
  readonly by?: Id<"tenant">;
  readonly actor?: Actor;
};

/** Writes the tenant whose handle this is. Its id was minted before the handle could exist. */
export async function createTenant(
  tx: TenantTx,
  { name, kind, now, made = {} }: { name: string; kind: TenantKind; now: Instant; made?: Made },
): Promise<Tenant> {
  const tenant: Tenant = { id: tx.tenant, name, kind, createdAt: now };
  await rows.insertTenant(tx, { ...tenant, slug: made.slug, madeBy: made.by });
  const actor = made.actor ?? ({ type: "system", id: "authorization-server" } as const);
  const facts = { tenant: tenant.id, actor, subject: tenant.id, payload: { kind } };
  await tx.record(newEvent("tenant.created", facts, now));
  return tenant;
}

/** Whether there is the tenant whose handle this is. */
export const isTenant = (tx: TenantTx): Promise<boolean> => rows.existsTenant(tx);

/** Whether agents of this tenant may have tokens that are bound to no key (design section 5). Off by default. */
export const allowsBearer = (tx: TenantTx): Promise<boolean> => rows.findBearer(tx);

/** Turns the switch. Tokens already issued live on, 15 minutes at most. */
export async function allowBearer(
  tx: TenantTx,
  allowed: boolean,
  { actor, now }: { actor: Actor; now: Instant },
): Promise<void> {
  await rows.saveBearer(tx, allowed);
  const facts = { tenant: tx.tenant, actor, subject: tx.tenant, payload: { bearer_tokens: allowed } };
  await tx.record(newEvent("tenant.changed", facts, now));
}

/** Whether a tenant may act, readable in any transaction and so until it ends: neither suspended nor deleted. */
export const isTenantActive = async (tx: Sql, tenant: Id<"tenant">): Promise<boolean> =>
  ((await rows.findStatus(tx, tenant)) ?? "active") === "active";

/** An organization as strangers may hear of it: a company by its name; a person's organization has the person's, which is theirs. */
export type Publisher = {
  readonly name: string | undefined;
  readonly status: "active" | "suspended" | "deleted";
  /** Whether nothing of it is to stay anywhere. */
  readonly erased: boolean;
};

/** What may be told of the tenant whose handle this is. */
export const publisherOf = (tx: TenantTx): Promise<Publisher> => rows.findPublisher(tx);
