import {
  after,
  type Clock,
  hourMs,
  type Id,
  type Instant,
  invariant,
  minuteMs,
  newId,
  secondMs,
} from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { Database, TenantTx } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { Problem } from "@remit/protocol";
import type { Engines } from "../charging/index.ts";
import type { Worker } from "../claims/index.ts";
import type { Facilitators } from "../facilitator/index.ts";
import type { Merchant, Offers } from "../offers/index.ts";
import { giveBackByCard } from "./by-card.ts";
import { endUnsigned, giveBackByTransfer, signable, transferBack } from "./by-transfer.ts";
import type { Paid } from "./refunds.sql.ts";
import * as rows from "./refunds.sql.ts";

/** A transfer from the seller to the payer, as it is signed (EIP-3009). Numbers as decimals, as JSON keeps them. */
export type SellersTransfer = {
  readonly network: string;
  readonly asset: string;
  readonly name: string;
  readonly version: string;
  readonly from: string;
  readonly to: string;
  readonly value: string;
  readonly validBefore: string;
  readonly nonce: string;
};

/** What a seller gives back of one payment. */
export type Refund = {
  readonly tenant: Id<"tenant">;
  readonly id: Id<"refund">;
  readonly claim: Id<"claim">;
  readonly amountMinor: number;
  readonly state: "unsigned" | "sending" | "refunded" | "refused";
  readonly attempt: number;
  readonly transfer?: SellersTransfer;
  readonly signature?: string;
  readonly reference?: string;
  /** Why it was refused. */
  readonly because?: string;
  readonly generation: number;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
};

export type RefundDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly by: Worker;
  readonly offers: () => Offers;
  readonly engines: Engines;
  readonly facilitators: Pick<Facilitators, "hereOn">;
};

/** What became of one try. `again`: nothing was done and nothing is kept, so that another key may try. */
export type Given =
  | { readonly kind: "refunded"; readonly reference: string }
  | { readonly kind: "refused"; readonly because: string }
  | { readonly kind: "unknown" }
  | { readonly kind: "again" };

/** Longer than Stripe or a chain may take to answer. */
const leaseMs = 3 * minuteMs;
/** How long a seller has to sign. */
const signMs = 24 * hourMs;
/** How long what is signed here is good: if it fails on the chain, so long nobody can say that it never will be sent again. */
const sendMs = hourMs;
const againMs = 2 * secondMs;
const lateMs = minuteMs;

/** Decides how much it is, in pure code; the database is asked again when it is booked. */
export function amountOf(
  paid: Pick<Paid, "takenMinor" | "refundedMinor">,
  asked: number | undefined,
): number {
  const left = paid.takenMinor - paid.refundedMinor;
  const amount = asked ?? left;
  if (amount < 1 || amount > left)
    throw new Problem("charge_refund_exceeds_captured", { extra: { remaining_minor: left } });
  return amount;
}

/** Writes down what is to be given back, before anybody is asked to. Of many at once as many win as the payment has room for. */
export async function askRefund(
  deps: RefundDeps,
  tenant: Id<"tenant">,
  asked: {
    readonly payment: string;
    readonly amountMinor: number | undefined;
    readonly kept: (tx: TenantTx, id: Id<"refund">) => Promise<void>;
  },
): Promise<Id<"refund">> {
  // A token's own name is asked of its chain, with no transaction open.
  const paid = await deps.db.of(tenant).transaction((tx) => rows.lockPaid(tx, asked.payment));
  if (paid === undefined) throw new Problem("not_found", { detail: "No payment here has this name." });
  if (paid === "several")
    throw new Problem("payment_state_conflict", {
      detail: "One transaction has paid several purchases: name the payment by its id.",
    });
  refuseUngivable(paid);
  const id = newId("refund");
  const now = deps.clock.now();
  const names = paid.rail === "x402" ? await signable(deps, paid) : undefined;
  const deadline = after(now, names?.hasKey === true ? sendMs : signMs);
  return await deps.db.of(tenant).transaction(async (tx) => {
    const locked = await rows.lockPaid(tx, paid.id);
    invariant(locked !== undefined && locked !== "several", "a payment that was found stays");
    const amountMinor = amountOf(locked, asked.amountMinor);
    if (!(await rows.book(tx, paid.id, amountMinor))) throw new Problem("charge_refund_exceeds_captured");
    const transfer = names && transferBack(locked, { id, amountMinor, names, deadline });
    const isSigned = paid.rail === "card" || names?.hasKey === true;
    const refund: Refund = {
      tenant,
      id,
      claim: paid.id,
      amountMinor,
      state: isSigned ? "sending" : "unsigned",
      attempt: 1,
      ...(transfer !== undefined && { transfer }),
      generation: 1,
      createdAt: now,
      updatedAt: now,
    };
    const until = isSigned ? after(now, leaseMs) : after(deadline, lateMs);
    await rows.insertRefund(tx, refund, { by: deps.by, until });
    await asked.kept(tx, id);
    return id;
  });
}

function refuseUngivable({ rail, state }: Paid): void {
  if (rail === "mandate")
    throw new Problem("payment_state_conflict", {
      detail:
        "What was paid under a mandate is refunded where it was charged: POST /api/v1/charges/{id}/refund.",
    });
  if (state !== "captured")
    throw new Problem("payment_state_conflict", {
      detail: "Only what is paid and delivered is refunded; what is owed is delivered to the same payment.",
    });
}

export const readRefund = (deps: RefundDeps, tenant: Id<"tenant">, id: Id<"refund">): Promise<Read> =>
  deps.db.of(tenant).transaction(async (tx) => {
    const refund = await rows.findRefund(tx, id);
    if (refund === undefined) throw new Problem("not_found");
    return { refund, paid: await rows.findPaid(tx, refund.claim) };
  });

export type Read = { readonly refund: Refund; readonly paid: Paid };

/** Keeps the seller's signature, once, and lets whoever comes bring it on the chain. */
export async function signRefund(
  deps: RefundDeps,
  tenant: Id<"tenant">,
  of: { readonly id: Id<"refund">; readonly signature: string },
): Promise<void> {
  const { refund } = await readRefund(deps, tenant, of.id);
  if (refund.signature === of.signature) return;
  if (refund.state !== "unsigned") throw signedOtherwise();
  const now = deps.clock.now();
  const to = { state: "sending", signature: of.signature, now, leasedUntil: after(now, leaseMs) } as const;
  await deps.db.of(tenant).transaction(async (tx) => {
    if (await rows.moveRefund(tx, refund, to)) return;
    // Sent twice at once: the other call has kept it.
    if ((await rows.findRefund(tx, refund.id))?.signature !== of.signature) throw signedOtherwise();
  });
}

const signedOtherwise = (): Problem =>
  new Problem("payment_state_conflict", { detail: "This refund waits for no signature." });

/** Gives it back, and writes down what came of it. Safe to repeat: the provider knows it by its key, the token by its nonce. */
export async function carryOut(deps: RefundDeps, tenant: Id<"tenant">, id: Id<"refund">): Promise<void> {
  const { refund, paid } = await readRefund(deps, tenant, id);
  if (refund.state !== "sending") return;
  await failpoint("refund.begun");
  const merchant = merchantOf(deps.offers(), tenant, paid.merchant);
  const given: Given =
    merchant === undefined ? { kind: "unknown" } : await giveBack(deps, { refund, paid, merchant });
  await failpoint("refund.given");
  await conclude(deps, refund, given);
}

const giveBack = (deps: RefundDeps, of: Read & { readonly merchant: Merchant }): Promise<Given> =>
  of.paid.rail === "card" ? giveBackByCard(deps, of) : giveBackByTransfer(deps, of);

async function conclude(deps: RefundDeps, refund: Refund, given: Given): Promise<void> {
  const now = deps.clock.now();
  // Nothing is hurried that has waited for long: a signature may be good for a day.
  const waitedMs = Math.floor((now - refund.createdAt) / 10);
  const leasedUntil = after(now, Math.min(lateMs, Math.max(againMs, waitedMs)));
  await deps.db.of(refund.tenant).transaction(async (tx) => {
    if (given.kind === "unknown") return await rows.leaveRefund(tx, refund, leasedUntil);
    if (given.kind === "again") {
      const attempt = refund.attempt + 1;
      return await rows.moveRefund(tx, refund, { state: "sending", attempt, now, leasedUntil });
    }
    const { kind: state, ...ended } = given;
    // Who has taken it over meanwhile writes what came of it.
    if (!(await rows.moveRefund(tx, refund, { state, ...ended, now, leasedUntil: now }))) return undefined;
    if (state !== "refused") return undefined;
    deps.log.warn({ refund: refund.id, because: given.because }, "a refund was refused");
    return await rows.book(tx, refund.claim, -refund.amountMinor);
  });
}

/** Goes on with what a crash, a provider or a seller left open. */
export async function recoverRefunds(deps: RefundDeps, signal: AbortSignal): Promise<void> {
  const now = deps.clock.now();
  const due = await deps.db.relay.transaction((tx) => rows.findDue(tx, { ...deps.by, now }));
  for (const { tenant_id: tenant, id } of due) {
    if (signal.aborted) return;
    const until = after(now, leaseMs);
    const refund = await deps.db
      .of(tenant)
      .transaction((tx) => rows.takeOver(tx, id, { ...deps.by, now, until }));
    if (refund === undefined) continue;
    const work =
      refund.state === "unsigned"
        ? endUnsigned(deps, refund).then((given) => conclude(deps, refund, given))
        : carryOut(deps, tenant, id);
    await work.catch((error: unknown) => {
      deps.log.error({ refund: id, error }, "a refund could not be finished yet");
    });
  }
}

function merchantOf(offers: Offers, tenant: Id<"tenant">, id: Id<"merchant">): Merchant | undefined {
  for (const { merchant } of offers.values())
    if (merchant.id === id && merchant.tenant === tenant) return merchant;
  return undefined;
}
