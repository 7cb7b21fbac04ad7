import { type Id, type Instant, money, toDecimal } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import type { Account } from "../accounts/index.ts";
import type { Client } from "../clients/index.ts";
import { endGrantWithin, type GivenGrant, grantOf, grantsOfAccount } from "../grants/index.ts";
import { assetOfMandate, type Mandates, standingOfMandate } from "../mandates/index.ts";
import type { Granted } from "./views.ts";

export type GrantsOfPerson = {
  readonly db: Database;
  readonly clientOf: (id: string) => Promise<Client | undefined>;
  readonly mandates: Pick<Mandates, "find" | "revokeWithin">;
  readonly now: () => Instant;
};

const shownMax = 200;

/** What a person has allowed and not taken back, in words. */
export async function grantsOfPerson(deps: GrantsOfPerson, { id, home }: Account): Promise<Granted[]> {
  const given = await deps.db.of(home).transaction((tx) => grantsOfAccount(tx, id, shownMax));
  const named = await Promise.all(given.map((grant) => inWords(deps, home, grant)));
  return named.filter((grant) => grant !== undefined);
}

async function inWords(
  { clientOf, mandates, now }: GrantsOfPerson,
  tenant: Id<"tenant">,
  grant: GivenGrant,
): Promise<Granted | undefined> {
  const { digest, scopes, outlivesSession, since } = grant;
  const client = await clientOf(grant.client);
  // Quoted, so that a name like "Remit support" is seen as a name.
  const name =
    client === undefined ? grant.client : client.kind === "wallet" ? client.name : `“${client.name}”`;
  const known = { digest, name, scopes, outlivesSession, since };
  if (grant.mandate === undefined) return { ...known, mandate: undefined };
  const found = await mandates.find(tenant, grant.mandate);
  if (found === undefined) return { ...known, mandate: undefined };
  const { mandate, budget } = found;
  const asset = assetOfMandate(mandate.details);
  const limit = `up to ${toDecimal(money(asset, BigInt(mandate.details.amount_minor)))} ${mandate.details.currency}`;
  return { ...known, mandate: { id: mandate.id, limit, status: standingOfMandate(mandate, budget, now()) } };
}

/** A person takes back what they gave: its tokens end at once, and with a mandate what may be spent under it. */
export async function endGrantOfPerson(
  { db, mandates }: GrantsOfPerson,
  { id, home }: Account,
  { digest, now }: { digest: string; now: Instant },
): Promise<void> {
  const actor = { type: "account", id } as const;
  await db.of(home).transaction(async (tx) => {
    const grant = await grantOf(tx, digest);
    if (grant?.account !== id || grant.tenant !== home || grant.revoked)
      throw new Problem("not_found", { detail: "There is no such application." });
    // A mandate takes its grant along.
    if (grant.mandate !== undefined)
      await mandates.revokeWithin(tx, grant.mandate, { because: "revoked_by_principal", actor });
    await endGrantWithin(tx, { digest, actor, now });
  });
}
