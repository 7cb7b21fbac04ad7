import { type Clock, type Id, type Instant, newId } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem } from "@remit/protocol";
import type { PayoutAccountStatus } from "@remit/protocol/contracts";
import { refuseWhileHalted } from "../ledger/index.ts";
import type { ConnectSeen } from "../stripe/index.ts";
import * as rows from "./accounts.sql.ts";

/** Where a merchant is paid: an account at Stripe, which its onboarding has made and nobody else can name. */
export type PayoutAccount = {
  readonly id: Id<"destination">;
  readonly tenant: Id<"tenant">;
  readonly merchant: Id<"merchant">;
  readonly generation: number;
  readonly country: string;
  readonly reference: string | null;
  readonly detailsSubmitted: boolean;
  readonly chargesEnabled: boolean;
  readonly payoutsEnabled: boolean;
  readonly requirements: readonly string[];
  readonly disabledReason: string | null;
  readonly askedAt: Instant;
  readonly effectiveFrom: Instant | null;
};

export type AccountDeps = {
  readonly db: Database;
  readonly clock: Clock;
  /** Stripe's accounts. */
  readonly connect: {
    make(of: Pick<PayoutAccount, "id" | "country" | "merchant" | "askedAt">): Promise<string>;
    link(of: {
      account: string;
      returnUrl: string;
      refreshUrl: string;
    }): Promise<{ readonly url: string; readonly expiresAt: Instant }>;
    read(account: string): Promise<ConnectSeen>;
  };
};

export type Onboarding = {
  readonly account: PayoutAccount;
  readonly url: string;
  readonly expiresAt: Instant;
};

export type Asking = {
  readonly tenant: Id<"tenant">;
  readonly merchant: Id<"merchant">;
  readonly country: string;
  /** Another account beside the one in effect, which it takes over from a day after it is accepted. */
  readonly another: boolean;
  readonly by: Actor;
  readonly returnUrl: string;
  readonly refreshUrl: string;
};

/**
 * Begins the onboarding of a merchant, or goes on with it: a row first, then the account at Stripe under the row's id, then a
 * link for one visit. However often it is asked, one account comes of it.
 */
export async function onboard(deps: AccountDeps, asking: Asking): Promise<Onboarding> {
  const own = deps.db.of(asking.tenant);
  const begun = await own.transaction((tx) => begin(deps, tx, asking));
  await failpoint("payout_account.begun");
  const reference = begun.reference ?? (await deps.connect.make(begun));
  const named = await own.transaction((tx) => rows.name(tx, begun.id, reference));
  const { returnUrl, refreshUrl } = asking;
  const link = await deps.connect.link({ account: named, returnUrl, refreshUrl });
  return { account: { ...begun, reference: named }, ...link };
}

/** Onboardings of an organization that have not been accepted: each is an account at Stripe. */
export const begunMax = 20;

async function begin(deps: AccountDeps, tx: TenantTx, asking: Asking): Promise<PayoutAccount> {
  await refuseWhileHalted(tx);
  const { tenant, merchant, country, another, by } = asking;
  const [wanted, at] = [newId("destination"), deps.clock.now()];
  // Nobody else knows which merchants there are: what is begun for names that were made up must come to an end.
  const begun = (await rows.accounts(tx)).filter(({ effectiveFrom }) => effectiveFrom === null);
  if (begun.length >= begunMax && !begun.some((one) => one.merchant === merchant))
    throw new Problem("invalid_request", {
      detail: `${begunMax} onboardings have been begun and not been accepted: finish one of them first.`,
    });
  const id = await rows.begin(tx, { id: wanted, merchant, country, by: by.id, at }, another);
  if (id === wanted) {
    const payload = { merchant, replaces: another };
    await tx.record(newEvent("payout_account.asked", { tenant, actor: by, subject: id, payload }, at));
  }
  const found = await rows.accountById(tx, id);
  if (found === undefined) throw new Problem("not_found");
  return found;
}

/**
 * Reads an account at Stripe and writes what it says. News of it is a hint and no more; a look that another has overtaken writes
 * nothing.
 */
export async function lookAt(
  deps: AccountDeps,
  { tenant, id, reference }: PayoutAccount,
): Promise<PayoutAccount> {
  const own = deps.db.of(tenant);
  const look = await own.transaction((tx) => rows.beginLook(tx, id));
  if (reference === null) throw new Problem("not_found");
  const seen = await deps.connect.read(reference);
  await failpoint("payout_account.seen");
  return own.transaction(async (tx) => {
    const now = deps.clock.now();
    const before = await rows.accountById(tx, id);
    const written = await rows.endLook(tx, id, { look, seen, now });
    const after = await rows.accountById(tx, id);
    if (before === undefined || after === undefined) throw new Problem("not_found");
    if (written && isOther(before, after)) await tell(tx, after, now);
    return after;
  });
}

const told = ({ detailsSubmitted, chargesEnabled, payoutsEnabled, ...account }: PayoutAccount): string =>
  JSON.stringify([
    detailsSubmitted,
    chargesEnabled,
    payoutsEnabled,
    account.requirements,
    account.disabledReason,
    account.effectiveFrom,
  ]);
const isOther = (before: PayoutAccount, after: PayoutAccount): boolean => told(before) !== told(after);

/** Notice for the merchant, in its log and at its webhooks: above all of where its money is about to go. */
const tell = (tx: TenantTx, account: PayoutAccount, now: Instant): Promise<void> =>
  tx.record(
    newEvent(
      "payout_account.changed",
      {
        tenant: account.tenant,
        actor: { type: "system", id: "billing" },
        subject: account.id,
        payload: {
          merchant: account.merchant,
          status: statusOf(account, now),
          requirements: [...account.requirements],
          effective_from: account.effectiveFrom,
        },
      },
      now,
    ),
  );

/** `isNewest` unless another of the merchant's has come into effect since. */
export function statusOf(account: PayoutAccount, now: Instant, isNewest = true): PayoutAccountStatus {
  const { effectiveFrom, chargesEnabled, payoutsEnabled } = account;
  if (!isNewest) return "replaced";
  if (effectiveFrom !== null && effectiveFrom > now) return "delayed";
  if (chargesEnabled && payoutsEnabled) return "active";
  if (effectiveFrom !== null) return "restricted";
  return account.detailsSubmitted && account.requirements.length === 0 ? "checking" : "waiting";
}

/** Of a merchant's accounts, newest first, the one in effect: an older one is never fallen back to. */
export const inEffect = (accounts: readonly PayoutAccount[], now: Instant): PayoutAccount | undefined =>
  accounts.find(({ effectiveFrom }) => effectiveFrom !== null && effectiveFrom <= now);

/** Where a merchant's money goes now: Stripe's name of its account; undefined while it stays with us. */
export async function destinationOf(
  { db, clock }: Pick<AccountDeps, "db" | "clock">,
  { tenant, merchant }: { readonly tenant: Id<"tenant">; readonly merchant: Id<"merchant"> },
): Promise<string | undefined> {
  const all = await accountsOfMerchant({ db }, { tenant, merchant });
  const found = inEffect(all, clock.now());
  const able = found?.chargesEnabled === true && found.payoutsEnabled;
  return able ? (found.reference ?? undefined) : undefined;
}

export type AccountPage = rows.AccountPage;

/** A page of them, and the whole history of those merchants that are on it: that says which account is in effect. */
export const accountsOf = (
  { db }: Pick<AccountDeps, "db">,
  tenant: Id<"tenant">,
  page: AccountPage,
): Promise<{ readonly found: PayoutAccount[]; readonly ofSame: PayoutAccount[] }> =>
  db.of(tenant).transaction(async (tx) => {
    const found = await rows.accountPage(tx, page);
    const ofSame: PayoutAccount[] = [];
    for (const merchant of new Set(found.map((account) => account.merchant)))
      ofSame.push(...(await rows.accounts(tx, merchant)));
    return { found, ofSame };
  });

export const accountsOfMerchant = (
  { db }: Pick<AccountDeps, "db">,
  { tenant, merchant }: Pick<PayoutAccount, "tenant" | "merchant">,
): Promise<PayoutAccount[]> => db.of(tenant).transaction((tx) => rows.accounts(tx, merchant));

export async function accountOf(
  { db }: Pick<AccountDeps, "db">,
  tenant: Id<"tenant">,
  id: Id<"destination">,
): Promise<PayoutAccount> {
  const found = await db.of(tenant).transaction((tx) => rows.accountById(tx, id));
  if (found === undefined) throw new Problem("not_found");
  return found;
}

/** The account of a name at Stripe; undefined when it is none of ours. */
export async function accountNamed(
  { db }: Pick<AccountDeps, "db">,
  reference: string,
): Promise<PayoutAccount | undefined> {
  const tenant = await db.global.transaction((tx) => rows.tenantOfReference(tx, reference));
  return tenant === null
    ? undefined
    : db.of(tenant).transaction((tx) => rows.accountByReference(tx, reference));
}
