import { type Clock, hourMs, type Id, invariant } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { Database, TenantTx } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { newEvent } from "@remit/protocol";
import { type Booked, bookingEntry, isHalted, post, transferredEntry } from "../ledger/index.ts";
import type { TransferSeen, TransfersAtStripe } from "../stripe/index.ts";
import * as rows from "./transfers.sql.ts";
import type { Transfer } from "./transfers.ts";

export type TransferDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly atStripe: TransfersAtStripe;
  /** Has whoever wanted it look again at what it wants now. */
  readonly lookAgain: (tx: TenantTx, transfer: Transfer) => Promise<void>;
  /** Opens a case about one that Stripe refuses, once. */
  readonly openCase: (transfer: Transfer) => Promise<void>;
};

/** What becomes of a transfer's job: it is over, or is looked at again, soon or not. */
export type Sent = "over" | "soon" | "late";

// Stripe forgets keys after 24 h at the earliest; beyond this what was asked for is looked for.
const replayMsMax = 20 * hourMs;

/**
 * Sends what was written down, once: the row's id and attempt are the key, by which Stripe answers as it did before. What is too
 * old for that, or was refused, is looked for before it is asked for anew. Whoever dies here has written what he was about to do.
 */
export async function send(
  deps: TransferDeps,
  of: { readonly tenant: Id<"tenant">; readonly transfer: Id<"transfer"> },
): Promise<Sent> {
  const own = deps.db.of(of.tenant);
  const found = await own.transaction((tx) => rows.transferById(tx, of.transfer));
  if (found === undefined || found.state === "dropped") return "over";
  if (found.state === "sent") return found.booked ? "over" : book(deps, found);
  const chosen = await withSource(deps, found);
  if (chosen === undefined) return stuck(deps, found);
  const now = deps.clock.now();
  const isOld = chosen.askedAt !== null && now - chosen.askedAt > replayMsMax;
  const before = isOld ? await deps.atStripe.find(chosen) : undefined;
  if (before !== undefined) return record(deps, chosen, before);
  if (isOld) {
    await own.transaction((tx) => rows.nextAttempt(tx, chosen));
    return "soon";
  }
  const asked = await own.transaction(async (tx) =>
    (await mustWait(tx, chosen)) ? undefined : rows.noteAsked(tx, chosen, now),
  );
  if (asked === undefined) return "soon";
  await failpoint("transfer.sending");
  return ask(deps, asked);
}

/** Nothing new leaves the platform while its books are wrong: what has been asked for goes on, since it may have left. */
const mustWait = async (tx: TenantTx, { way, askedAt }: Transfer): Promise<boolean> =>
  way === "on" && askedAt === null && (await isHalted(tx));

async function ask(deps: TransferDeps, transfer: Transfer): Promise<Sent> {
  const answer = await deps.atStripe.ask(transfer);
  await failpoint("transfer.sent");
  if (answer.kind === "sent") return record(deps, transfer, answer.transfer);
  // The answer of this key stays what it is: only what is not there is asked for with another.
  const before = await deps.atStripe.find(transfer);
  if (before !== undefined) return record(deps, transfer, before);
  await deps.db.of(transfer.owner.tenant).transaction((tx) => rows.nextAttempt(tx, transfer));
  return answer.kind === "refused" ? stuck(deps, transfer) : "soon";
}

/** Of which transfer a reversal is, and how much of it there is to reverse: what is missing then is another one's. */
async function withSource(deps: TransferDeps, transfer: Transfer): Promise<Transfer | undefined> {
  if (transfer.way === "on" || transfer.source !== null) return transfer;
  const own = deps.db.of(transfer.owner.tenant);
  const ours = await own.transaction((tx) => rows.sentOn(tx, transfer.payment));
  const open = await deps.atStripe.reversible(transfer, ours);
  if (open === undefined) return undefined;
  const units = open.left.units < transfer.amount.units ? open.left.units : transfer.amount.units;
  const chosen = await own.transaction((tx) =>
    rows.chooseSource(tx, transfer, { source: open.reference, units }),
  );
  return chosen ?? own.transaction((tx) => rows.transferById(tx, transfer.id));
}

/** Stripe does not do it. If nobody wants it any more, that is the end; else somebody must look, and it is tried again. */
async function stuck(deps: TransferDeps, transfer: Transfer): Promise<Sent> {
  const dropped = await deps.db.of(transfer.owner.tenant).transaction(async (tx) => {
    const now = await rows.transferById(tx, transfer.id);
    if (now?.unwanted !== true) return false;
    const to = { state: "dropped", reference: null, booked: false } as const;
    if ((await rows.endTransfer(tx, transfer, to)) !== undefined) await deps.lookAgain(tx, transfer);
    return true;
  });
  if (dropped) return "over";
  await deps.openCase(transfer);
  return "late";
}

/** Writes down that it moved, with its entry and event, once; and has whoever wanted it look again. */
async function record(deps: TransferDeps, transfer: Transfer, seen: TransferSeen): Promise<Sent> {
  const { reference, booking } = seen;
  const booked = booking !== undefined;
  const { owner, charge, amount, way } = transfer;
  await deps.db.of(owner.tenant).transaction(async (tx) => {
    const sent = await rows.endTransfer(tx, transfer, { state: "sent", reference, booked });
    if (sent === undefined) return;
    const now = deps.clock.now();
    const payload = {
      charge,
      merchant: owner.merchant,
      way,
      amount_minor: Number(amount.units),
      currency: amount.asset.code,
      reference,
    };
    const facts = {
      tenant: owner.tenant,
      actor: { type: "system", id: "billing" },
      subject: sent.id,
    } as const;
    await tx.record(newEvent("transfer.sent", { ...facts, payload }, now));
    await deps.lookAgain(tx, sent);
    await post(tx, [
      transferredEntry({ charge, owner, at: now }, { transfer: sent.id, way, amount }),
      ...(booking === undefined ? [] : [bookingEntry({ charge, at: now }, bookedAs(sent, booking))]),
    ]);
  });
  await failpoint("transfer.recorded");
  return booked ? "over" : "soon";
}

/** Books what Stripe had not booked when it answered. */
async function book(deps: TransferDeps, transfer: Transfer): Promise<Sent> {
  const { owner, charge } = transfer;
  const seen = await deps.atStripe.read(transfer);
  if (seen.booking === undefined) return "soon";
  const entry = bookingEntry({ charge, at: deps.clock.now() }, bookedAs(transfer, seen.booking));
  await deps.db.of(owner.tenant).transaction(async (tx) => {
    await rows.noteBooked(tx, transfer);
    await post(tx, [entry]);
  });
  return "over";
}

function bookedAs({ way, amount: nominal }: Transfer, booking: NonNullable<TransferSeen["booking"]>): Booked {
  invariant(booking.amount.units > 0n, "a booking is of what was moved");
  return { ...booking, nominal, direction: way === "back" ? "into" : "out_of", clears: "transfer_clearing" };
}
