import type { Id, Instant } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { Caller } from "@remit/platform/http";
import type { CrossingTx, Database, Sql } from "@remit/platform/sql";
import { newEvent, Problem } from "@remit/protocol";
import type { Account, Accounts } from "../accounts/index.ts";
import { deleteFactorsOf } from "../factors/index.ts";
import { endLastingGrantsOf } from "../grants/index.ts";
import { unlinkAll } from "../identities/index.ts";
import type { Mandates } from "../mandates/index.ts";
import {
  endPersonalOrganization,
  leaveWithin,
  organizationsBelow,
  tenantsOfMember,
} from "../organizations/index.ts";
import { forgetPayerLater } from "../plans/index.ts";
import { endSessionsOf, lockSessionsOf } from "../sessions/index.ts";

export type ErasingDeps = {
  readonly db: Database;
  readonly accounts: Pick<Accounts, "erase" | "lock">;
  readonly mandates: Pick<Mandates, "revokeAllWithin">;
};

const membershipsMax = 1_000;
const tooMany = `Leave organizations first: an account belongs to at most ${membershipsMax} when it is erased.`;

/**
 * Ends and forgets a person, in one transaction over all that they belong to: whoever dies in it has done nothing, and what
 * follows (logouts, the erasure of what their organization keeps) is jobs of it. Mandates are revoked before tokens end, as
 * everywhere; what was paid stays, under ids that say nothing once the key over the account is destroyed. Throws
 * `account_owns_organizations` while an organization would be left without anybody. One that was joined since they were listed
 * makes it begin again; from when the account is held, nobody joins any (`Accounts.keep`).
 */
export async function eraseAccount(
  deps: ErasingDeps,
  account: Pick<Account, "id" | "home">,
  by: { readonly caller: Caller; readonly now: Instant },
): Promise<void> {
  const { db } = deps;
  const { id, home } = account;
  const { caller, now } = by;
  const belongs = await besidesHome(db.single, account);
  const below = await organizationsBelow(db, home);
  const all = new Set([home, ...belongs, ...below]);
  const erased = await db.crossing(...all).transaction(async (tx) => {
    const own = await tx.as(home);
    await deps.accounts.lock(own, id);
    if (!(await besidesHome(own, account)).every((one) => belongs.includes(one))) return false;
    const owned = await leaveAll(tx, { id, belongs, now });
    // All of it is taken back where somebody has to be found first.
    if (owned.length > 0) throw ownsThem(owned);
    await endPerson(deps, tx, { id, home, left: belongs, now });
    const acting = await endPersonalOrganization(tx, home, { caller, now });
    await failpoint("account.ended");
    if (acting.length > 0) throw ownsThem(acting);
    return true;
  });
  if (!erased) await eraseAccount(deps, account, by);
}

async function besidesHome(db: Sql, { id, home }: Pick<Account, "id" | "home">): Promise<Id<"tenant">[]> {
  const there = await tenantsOfMember(db, id, membershipsMax + 1);
  if (there.length > membershipsMax) throw new Problem("invalid_request", { detail: tooMany });
  return there.filter((one) => one !== home);
}

const ownsThem = (organizations: readonly Id<"tenant">[]): Problem =>
  new Problem("account_owns_organizations", { extra: { organizations: [...organizations] } });

type Leaving = {
  readonly id: Id<"account">;
  readonly belongs: readonly Id<"tenant">[];
  readonly now: Instant;
};

async function leaveAll(tx: CrossingTx, { id, belongs, now }: Leaving): Promise<Id<"tenant">[]> {
  const actor = { type: "account", id } as const;
  const owned: Id<"tenant">[] = [];
  for (const tenant of belongs)
    if (!(await leaveWithin(await tx.as(tenant), id, { actor, now }))) owned.push(tenant);
  return owned;
}

type Ending = Pick<Account, "id" | "home"> & {
  readonly left: readonly Id<"tenant">[];
  readonly now: Instant;
};

async function endPerson(
  { accounts, mandates }: ErasingDeps,
  crossing: CrossingTx,
  { id, home, left, now }: Ending,
): Promise<void> {
  await failpoint("account.ending");
  const tx = await crossing.as(home);
  const actor = { type: "account", id } as const;
  const why = { because: "account_erased", actor, now } as const;
  await lockSessionsOf(tx, id);
  const revoked = await mandates.revokeAllWithin(tx, id, why);
  await endSessionsOf(tx, id, why);
  await endLastingGrantsOf(tx, id, why);
  await unlinkAll(tx, { account: id, now });
  await deleteFactorsOf(tx, id);
  // Of two at once the second finds nobody.
  if (!(await accounts.erase(tx, id, now)))
    throw new Problem("not_found", { detail: "There is no such account." });
  // Where they belonged hears of it (RISC account-purged), and who belonged there is no longer found.
  const payload = { mandates: revoked, organizations: [...left] };
  await tx.record(newEvent("account.purged", { tenant: home, actor, subject: id, payload }, now));
  await forgetPayerLater(tx, now);
}
