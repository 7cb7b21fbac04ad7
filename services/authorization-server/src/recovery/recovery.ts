import type { Id, Instant } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { newEvent, Problem } from "@remit/protocol";
import type { Account, Accounts } from "../accounts/index.ts";
import type { Proof } from "../assurance/index.ts";
import type { CheckedPasskey, Factors } from "../factors/index.ts";
import { changes, letters, type Post } from "../mail/index.ts";
import type { Ticket, Tickets } from "../tickets/index.ts";

export type RecoveryDeps = {
  readonly db: Database;
  readonly accounts: Accounts;
  readonly factors: Factors;
  readonly tickets: Tickets;
  readonly post: Post;
  /** Ends every session and lasting grant of a person, and suspends their mandates, in the transaction of the recovery. */
  readonly endAccess: (tx: TenantTx, of: { account: Id<"account">; now: Instant }) => Promise<void>;
};

export type Recovering = {
  readonly account: Account;
  readonly ticket: Ticket<unknown>;
  /** What was shown beside the mailbox, and when. */
  readonly proofs: readonly Proof[];
  readonly proven: Instant;
  /** What they sign in with from now on, and how it is written. */
  readonly proof: Proof;
  readonly passkey?: CheckedPasskey;
  readonly save: (tx: TenantTx) => Promise<void>;
  readonly now: Instant;
};

/**
 * What is new, the end of all that somebody else may have in hand, the letter and the event: in one transaction. Returns
 * the new recovery codes, if a second factor is left that may be lost.
 */
export function recover(
  { db, accounts, factors, tickets, post, endAccess }: RecoveryDeps,
  { account, ticket, proofs, proven, proof, passkey, save, now }: Recovering,
): Promise<string[]> {
  const appProven = proofs.some(({ kind }) => kind === "code") ? proven : undefined;
  return db.of(account.home).transaction(async (tx) => {
    await tickets.claim(tx, ticket);
    await accounts.lock(tx, account.id);
    // Begun by the mailbox alone, when there was no second factor: whoever added one since is asked for it.
    if (proofs.length === 0 && (await factors.hasSecondWithin(tx, account.id)))
      throw new Problem("invalid_request", {
        detail: "Your account has a second factor by now. Begin again and use it.",
      });
    await save(tx);
    await accounts.refuseSignInsBefore(tx, account.id, { now, begun: ticket.madeAt });
    await endAccess(tx, { account: account.id, now });
    const made = await factors.startOver(tx, account, { passkey, appProven, now });
    const actor = { type: "account", id: account.id } as const;
    const payload = { by: proof.kind };
    const facts = { tenant: account.home, actor, subject: account.id, payload };
    await tx.record(newEvent("account.recovered", facts, now));
    await post.send(tx, letters.changed({ to: account.email, what: changes.recovered }));
    return made;
  });
}
