import { domainToASCII } from "node:url";
import { type Id, type Instant, invariant } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Database, Sql, TenantTx, Tx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem } from "@remit/protocol";
import { EmailDomain } from "@remit/protocol/contracts";
import { sha256 } from "@remit/protocol/node";
import * as rows from "./email-domains.sql.ts";

/** A domain of mail whose addresses a tenant may have vouched for: the operator has seen that it is the tenant's. */
export type Assigned = {
  readonly domain: string;
  readonly tenant: Id<"tenant">;
  readonly assignedAt: Instant;
};

type Deps = { readonly db: Database; readonly keyring: Keyring };
export type By = { readonly actor: Actor; readonly now: Instant };

const listedMax = 200;
const scope = "email-domains";
const digestOf = (domain: string): Uint8Array => sha256(domain);
const aadOf = (digest: Uint8Array): string => `email_domains.sealed:${Buffer.from(digest).toString("hex")}`;

/** The domain of an address, as mail compares it; undefined for what is no address. */
export function domainOf(email: string): string | undefined {
  const [, domain] = /^[^@\s]{1,64}@([^@\s]{1,253})$/.exec(email.normalize("NFKC")) ?? [];
  const ascii = domain === undefined ? "" : domainToASCII(domain).toLowerCase();
  return EmailDomain.safeParse(ascii).success ? ascii : undefined;
}

/** Whose domain it is; undefined for one that is nobody's here, such as that of a public mail service. */
export const tenantOfDomain = async (tx: Sql, domain: string): Promise<Id<"tenant"> | undefined> =>
  (await rows.findDomain(tx, digestOf(domain)))?.tenant;

/** Whether any tenant has one: else nobody needs to be asked for theirs. */
export const anyDomain = (tx: Sql): Promise<boolean> => rows.hasDomains(tx);

/** Gives a domain to the tenant of the transaction; again when it has it. Refused when it is another's. */
export async function assignDomain(
  { keyring }: Pick<Deps, "keyring">,
  tx: TenantTx,
  { domain, actor, now }: By & { domain: string },
): Promise<Assigned> {
  const digest = digestOf(domain);
  const plaintext = Buffer.from(domain, "utf8");
  const sealed = await keyring.seal(tx, scope, { plaintext, aad: aadOf(digest) });
  if (await rows.insertDomain(tx, { digest, tenant: tx.tenant, sealed, assignedAt: now })) {
    await record(tx, "email_domain.assigned", { domain, actor, now });
    return { domain, tenant: tx.tenant, assignedAt: now };
  }
  const found = await rows.findDomain(tx, digest);
  if (found?.tenant !== tx.tenant)
    throw new Problem("invalid_request", { detail: "The domain belongs to another organization." });
  return { domain, tenant: tx.tenant, assignedAt: found.assignedAt };
}

/** Takes the domain from its tenant. From then on nobody new is vouched for at it; who is linked stays so. */
export async function releaseDomain(
  { db }: Pick<Deps, "db">,
  { domain, actor, now }: By & { domain: string },
): Promise<void> {
  const digest = digestOf(domain);
  const tenant = await db.global.transaction((tx) => tenantOfDomain(tx, domain));
  if (tenant === undefined) throw new Problem("not_found");
  await db.of(tenant).transaction(async (tx) => {
    if (!(await rows.deleteDomain(tx, { digest, tenant }))) throw new Problem("not_found");
    await record(tx, "email_domain.released", { domain, actor, now });
  });
}

/** The tenant's domains. */
export const domainsOf = ({ db, keyring }: Deps, tenant: Id<"tenant">): Promise<Assigned[]> =>
  db.global.transaction(async (tx) => {
    const found = await rows.listDomains(tx, tenant, listedMax);
    return Promise.all(found.map((row) => open(keyring, tx, row)));
  });

async function open(keyring: Keyring, tx: Tx, row: rows.EmailDomainRow): Promise<Assigned> {
  const { digest, sealed, tenant, assignedAt } = row;
  const plaintext = await keyring.open(tx, scope, { sealed, aad: aadOf(digest) });
  invariant(plaintext !== undefined, "the names of domains are never shredded");
  return { domain: Buffer.from(plaintext).toString("utf8"), tenant, assignedAt };
}

const record = (
  tx: TenantTx,
  type: "email_domain.assigned" | "email_domain.released",
  { domain, actor, now }: By & { domain: string },
): Promise<void> =>
  tx.record(newEvent(type, { tenant: tx.tenant, actor, subject: tx.tenant, payload: { domain } }, now));

/** The table of this room, by the kind of protection it has. */
export const emailDomainTables = { email_domains: "global" } as const;
