import { type Id, type Instant, newId } from "@remit/kernel";
import { type TenantTx, violates } from "@remit/platform/sql";
import { type Actor, type EventType, newEvent, Problem } from "@remit/protocol";
import * as rows from "./partners.sql.ts";

export type PartnerStatus = "active" | "suspended";

/** An issuer whose tokens a tenant can have checked: who somebody is there, and nothing that they may do here. */
export type Partner = {
  readonly id: Id<"partner">;
  readonly name: string;
  readonly issuer: string;
  /** Where its keys are, and no others count for it (A14). */
  readonly jwksUri: string;
  /** Which of its organizations count; undefined: all of them. */
  readonly allowedOrganizations: readonly string[] | undefined;
  readonly status: PartnerStatus;
  readonly createdAt: Instant;
  readonly expiresAt: Instant | undefined;
};

const perTenantMax = 200;

export type By = { readonly actor: Actor; readonly now: Instant };

export type NewPartner = Pick<Partner, "name" | "issuer" | "jwksUri" | "allowedOrganizations" | "expiresAt">;

/** Throws `partner_exists` when the tenant has one of this issuer, `invalid_request` for one too many. */
export async function createPartner(tx: TenantTx, wanted: NewPartner, by: By): Promise<Partner> {
  const partner: Partner = { ...wanted, id: newId("partner"), status: "active", createdAt: by.now };
  const written = await rows.insertPartner(tx, partner, perTenantMax).catch((error: unknown) => {
    throw violates(error, "partners_issuer") ? new Problem("partner_exists") : error;
  });
  if (!written)
    throw new Problem("invalid_request", {
      detail: `An organization has at most ${perTenantMax} partners.`,
    });
  await record(tx, "partner.created", { partner, ...by });
  return partner;
}

export type PartnerChange = {
  readonly name?: string | undefined;
  readonly status?: PartnerStatus | undefined;
  /** null: all of them. */
  readonly allowedOrganizations?: readonly string[] | null | undefined;
  /** null: never. */
  readonly expiresAt?: Instant | null | undefined;
};

/** Counts from the next token that is checked. */
export async function changePartner(
  tx: TenantTx,
  id: Id<"partner">,
  { change, ...by }: By & { readonly change: PartnerChange },
): Promise<Partner> {
  const before = await rows.lockPartner(tx, id);
  if (before === undefined) throw unknownPartner();
  const { name = before.name, status = before.status } = change;
  const { allowedOrganizations = before.allowedOrganizations, expiresAt = before.expiresAt } = change;
  const partner: Partner = {
    ...before,
    name,
    status,
    allowedOrganizations: allowedOrganizations ?? undefined,
    expiresAt: expiresAt ?? undefined,
  };
  await rows.savePartner(tx, partner, by.now);
  await record(tx, "partner.changed", { partner, ...by });
  return partner;
}

export async function removePartner(tx: TenantTx, id: Id<"partner">, by: By): Promise<void> {
  const partner = await rows.deletePartner(tx, id);
  if (partner === undefined) throw unknownPartner();
  await record(tx, "partner.removed", { partner, ...by });
}

/** The partner of this tenant; `not_found` for another's and for none. */
export async function partnerById(tx: TenantTx, id: Id<"partner">): Promise<Partner> {
  const partner = await rows.findPartner(tx, id);
  if (partner === undefined) throw unknownPartner();
  return partner;
}

export const partnerOfIssuer = (tx: TenantTx, issuer: string): Promise<Partner | undefined> =>
  rows.findByIssuer(tx, issuer);

/** The tenant's partners, newest first, at most `limit`, before the id `before`. */
export const partnersOf = (
  tx: TenantTx,
  page: { limit: number; before: Id<"partner"> | undefined },
): Promise<Partner[]> => rows.listPartners(tx, page);

export const statusOf = ({ status, expiresAt }: Partner, now: Instant): PartnerStatus | "expired" =>
  expiresAt !== undefined && now >= expiresAt ? "expired" : status;

const unknownPartner = (): Problem => new Problem("not_found", { detail: "There is no such partner." });

async function record(
  tx: TenantTx,
  type: EventType,
  { partner, actor, now }: By & { readonly partner: Partner },
): Promise<void> {
  const payload = { issuer: partner.issuer, status: partner.status };
  await tx.record(newEvent(type, { tenant: tx.tenant, actor, subject: partner.id, payload }, now));
}

/** The tables of this room, by the kind of protection each has. */
export const partnerTables = { partners: "tenant" } as const;
