import type { Id, Instant } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { newEvent, Problem } from "@remit/protocol";
import * as rows from "./accounts.sql.ts";
import type { BreachedPasswords } from "./breached.ts";
import { hashPassword, matchesPassword, passwordLengthMax, passwordLengthMin } from "./password.ts";

declare const prepared: unique symbol;

/** A password that may be set: made by `preparePassword` and nowhere else. */
export type NewPassword = {
  readonly [prepared]: true;
  readonly digest: string;
  /** What it replaces. */
  readonly former: string | undefined;
};

const historyMax = 5;

/** NIST SP 800-63B §3.1.1.2: length, and a list of what others lost; no rules about signs and digits. */
export async function preparePassword(
  { db, breached }: { db: Database; breached: BreachedPasswords },
  password: string,
  account: Id<"account"> | undefined,
): Promise<NewPassword> {
  const length = Array.from(password.normalize("NFKC")).length;
  if (length < passwordLengthMin) throw refused(`A password has at least ${passwordLengthMin} characters.`);
  if (password.length > passwordLengthMax)
    throw refused(`A password has at most ${passwordLengthMax} characters.`);
  if (await breached.includes(password))
    throw refused("This password stands in lists of stolen ones. Choose another.");
  const { former, history } =
    account === undefined ? { former: undefined, history: [] } : await formerOf(db, account);
  for (const digest of history)
    if (await matchesPassword(password, digest))
      throw refused("You have used this password before. Choose another.");
  // The one place that makes the type.
  return { digest: await hashPassword(password), former } as NewPassword;
}

const refused = (detail: string): Problem => new Problem("invalid_request", { detail });

const formerOf = (
  db: Database,
  account: Id<"account">,
): Promise<{ former: string | undefined; history: readonly string[] }> =>
  db.global.transaction(async (tx) => {
    const former = (await rows.findAccount(tx, account))?.passwordDigest;
    const kept = await rows.formerPasswords(tx, account);
    return { former, history: [...(former === undefined ? [] : [former]), ...kept].slice(0, historyMax) };
  });

type Whose = { readonly id: Id<"account">; readonly home: Id<"tenant"> };

/** In the transaction of what it belongs to. A change that came in between wins. */
export async function savePassword(
  tx: TenantTx,
  {
    account,
    password,
    now,
  }: {
    account: Whose;
    password: NewPassword;
    now: Instant;
  },
): Promise<void> {
  const { former, digest } = password;
  const change = { account: account.id, former, digest, now, keep: historyMax - 1 };
  if (!(await rows.replacePassword(tx, change)))
    throw new Problem("invalid_request", { detail: "The password was changed elsewhere meanwhile." });
  await tx.record(newEvent("account.password_changed", factsOf(account), now));
}

/** In the transaction that makes sure of another way in. */
export async function removePassword(tx: TenantTx, account: Whose, now: Instant): Promise<void> {
  if (!(await rows.deletePassword(tx, { account: account.id, now, keep: historyMax - 1 })))
    throw new Problem("not_found", { detail: "Your account has no password." });
  await tx.record(newEvent("account.password_removed", factsOf(account), now));
}

const factsOf = ({ id, home }: Whose) => ({
  tenant: home,
  actor: { type: "account", id } as const,
  subject: id,
});
