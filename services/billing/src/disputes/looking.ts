import { type Clock, type Id, type Instant, invariant, money, newId } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { Database, TenantTx } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { newEvent, Problem } from "@remit/protocol";
import { disputeBookedEntry, disputeFeeEntry, disputeMovedEntry, post } from "../ledger/index.ts";
import type { Payment } from "../payments/index.ts";
import type { DisputeSeen } from "../stripe/index.ts";
import { wish } from "../transfers/index.ts";
import * as rows from "./disputes.sql.ts";
import { type Dispute, moveOf, statusOf } from "./disputes.ts";

export type DisputeDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** Stripe's disputes. */
  readonly network: {
    read(reference: string): Promise<DisputeSeen>;
    answer(of: { id: Id<"dispute">; reference: string; status: string; text: string }): Promise<void>;
    close(of: { id: Id<"dispute">; reference: string }): Promise<void>;
  };
  /** The payment behind a reference of Stripe; undefined when it is none of ours. */
  readonly paymentBehind: (reference: string) => Promise<Payment | undefined>;
};

/**
 * Looks at a dispute of Stripe and makes row and books as it says. However often and in whatever order news comes, each movement is
 * one entry; a look that another has overtaken writes nothing. Undefined when it is about no payment of ours.
 */
export async function look(deps: DisputeDeps, reference: string): Promise<Dispute | undefined> {
  const payee = (await tenantOf(deps, reference)) ?? (await meet(deps, reference));
  if (payee === undefined) return undefined;
  const own = deps.db.of(payee);
  const begun = await own.transaction((tx) => rows.beginLook(tx, reference));
  invariant(begun !== undefined, "disputes are never deleted");
  const seen = await deps.network.read(reference);
  await failpoint("dispute.seen");
  return own.transaction((tx) => write(deps, tx, { begun, seen }));
}

const tenantOf = ({ db }: DisputeDeps, reference: string): Promise<Id<"tenant"> | null> =>
  db.global.transaction((tx) => rows.tenantOfReference(tx, reference));

/** A dispute of which we hear for the first time: whose it is follows from its payment. */
async function meet(deps: DisputeDeps, reference: string): Promise<Id<"tenant"> | undefined> {
  const seen = await deps.network.read(reference);
  const payment = seen.payment === undefined ? undefined : await deps.paymentBehind(seen.payment);
  if (payment === undefined) {
    deps.log.warn({ reference }, "a dispute about a payment that is none of ours");
    return undefined;
  }
  const { tenant: payer, payee, charge, merchant, id, destination } = payment;
  const of = { id: newId("dispute"), reference, payee, payer, payment: id, charge, merchant, destination };
  await deps.db.of(payee).transaction((tx) => rows.insertDispute(tx, { ...of, openedAt: seen.openedAt }));
  return payee;
}

async function write(
  deps: DisputeDeps,
  tx: TenantTx,
  { begun, seen }: { readonly begun: Dispute; readonly seen: DisputeSeen },
): Promise<Dispute> {
  const now = deps.clock.now();
  const known = await rows.lockDispute(tx, begun.id);
  invariant(known !== undefined, "disputes are never deleted");
  const move = moveOf(known, seen);
  const written = await rows.endLook(tx, known, { look: begun.look, seen, moved: move?.way });
  // Overtaken: what was read later has been written.
  if (written === undefined) return known;
  if (known.status !== seen.status || known.respondBy !== written.respondBy) await report(tx, written, now);
  await settleWithMerchant(tx, written, { seen, now });
  const { id: dispute, charge, payee, merchant } = written;
  const paid = { charge, at: now, owner: { tenant: payee, merchant } };
  // The books last: their rows are everybody's.
  await post(tx, [
    ...(move === undefined
      ? []
      : [disputeMovedEntry({ ...paid, dispute }, { ...move, amount: seen.amount })]),
    ...seen.movements.flatMap((movement) => [
      disputeBookedEntry(paid, movement, seen.amount),
      ...(movement.fee.units === 0n ? [] : [disputeFeeEntry(paid, movement)]),
    ]),
  ]);
  return written;
}

/** Where the money went on to the merchant's account, it comes back while the dispute has it, and goes on again once it is won. */
async function settleWithMerchant(
  tx: TenantTx,
  { id: about, reference: aboutReference, payment, charge, payee, merchant, ...known }: Dispute,
  { seen, now }: { readonly seen: DisputeSeen; readonly now: Instant },
): Promise<void> {
  const { destination } = known;
  if (destination === null || seen.payment === undefined) return;
  const nothing = money(seen.amount.asset, 0n);
  const wanted = known.setAside > known.returned ? seen.amount : nothing;
  const owner = { tenant: payee, merchant };
  const of = { about, aboutReference, payment, paymentReference: seen.payment, destination, charge, owner };
  await wish(tx, of, { wished: { wanted, already: nothing }, now });
}

/** For the authorization server, which asks how it stands: a hint and no more. */
const report = (
  tx: TenantTx,
  { id, payee, charge, reference, status }: Dispute,
  now: Instant,
): Promise<void> =>
  tx.record(
    newEvent(
      "dispute.reported",
      {
        tenant: payee,
        actor: { type: "system", id: "billing" },
        subject: id,
        payload: { charge, reference, status: statusOf(status) },
      },
      now,
    ),
  );

/** One dispute by its id, as it was seen last. */
export async function disputeOf({ db }: Pick<DisputeDeps, "db">, id: Id<"dispute">): Promise<Dispute> {
  const payee = await db.global.transaction((tx) => rows.tenantOfDispute(tx, id));
  const found = payee === null ? undefined : await db.of(payee).transaction((tx) => rows.disputeById(tx, id));
  if (found === undefined || found.status === null) throw new Problem("not_found");
  return found;
}

/** Answers or gives up, at Stripe, what it still waits for; how it stands then is read, never guessed. */
export async function respond(
  deps: DisputeDeps,
  id: Id<"dispute">,
  act: { readonly kind: "answer"; readonly text: string } | { readonly kind: "accept" },
): Promise<Dispute> {
  const known = await disputeOf(deps, id);
  const before = (await look(deps, known.reference)) ?? known;
  const open = statusOf(before.status) === "needs_response";
  const given = act.kind === "accept" && statusOf(before.status) === "under_review";
  if (!open && !given)
    throw new Problem("dispute_state_conflict", {
      extra: { dispute_id: id, status: statusOf(before.status) },
    });
  const of = { id, reference: known.reference };
  const status = before.status ?? "";
  await (act.kind === "answer"
    ? deps.network.answer({ ...of, status, text: act.text })
    : deps.network.close(of));
  return (await look(deps, known.reference)) ?? before;
}
