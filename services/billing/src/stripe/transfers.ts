import { type Instant, invariant, type Money } from "@remit/kernel";
import type { Booking } from "@remit/rails";
import { bookingOf, failureOf, fromStripe, toStripe } from "@remit/rails/card";
import type Stripe from "stripe";
import { unavailable } from "./failures.ts";

/** What is to be moved between our balance and a merchant's account, as its row says. */
export type ToTransfer = {
  readonly id: string;
  readonly way: "back" | "on";
  readonly attempt: number;
  readonly amount: Money;
  readonly paymentReference: string;
  readonly destination: string;
  readonly source: string | null;
  readonly reference: string | null;
  readonly createdAt: Instant;
};

export type TransferSeen = { readonly reference: string; readonly booking: Booking | undefined };

export type TransferAnswer =
  | { readonly kind: "sent"; readonly transfer: TransferSeen }
  /** Stripe has said no, or has failed and keeps that answer for the key. */
  | { readonly kind: "refused" | "failed" };

/** Transfers and their reversals at Stripe. All throw `unavailable` for what is not known. */
export type TransfersAtStripe = {
  ask(of: ToTransfer): Promise<TransferAnswer>;
  /** What an earlier call has made. */
  find(of: ToTransfer): Promise<TransferSeen | undefined>;
  /** One that was sent, by its name. */
  read(of: ToTransfer): Promise<TransferSeen>;
  /** The first transfer of a payment of which something is left to reverse: Stripe's own, then those that were sent since. */
  reversible(
    of: ToTransfer,
    sentSince: readonly string[],
  ): Promise<{ readonly reference: string; readonly left: Money } | undefined>;
};

const expand = ["balance_transaction"];

export const transfersAt = (stripe: Stripe): TransfersAtStripe => ({
  ask: (of) => ask(stripe, of),
  find: (of) => known(() => find(stripe, of)),
  read: (of) => known(() => read(stripe, of)),
  reversible: (of, sentSince) => known(() => reversible(stripe, of, sentSince)),
});

async function known<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    failureOf(cause);
    throw unavailable(cause);
  }
}

async function ask(stripe: Stripe, of: ToTransfer): Promise<TransferAnswer> {
  try {
    return { kind: "sent", transfer: seen(await make(stripe, of)) };
  } catch (error) {
    const failure = failureOf(error);
    if (failure.kind !== "unknown") return { kind: "refused" };
    if (failure.settled) return { kind: "failed" };
    throw unavailable(error);
  }
}

function make(
  stripe: Stripe,
  { id, attempt, amount, way, source, destination, paymentReference }: ToTransfer,
): Promise<Stripe.Transfer | Stripe.TransferReversal> {
  const price = toStripe(amount);
  invariant(price !== undefined, "what was captured is of an amount that Stripe can move");
  const options = { idempotencyKey: `${id}.${attempt}` };
  const metadata = { transfer: id };
  if (way === "on")
    return stripe.transfers.create(
      { ...price, destination, transfer_group: groupOf(paymentReference), metadata, expand },
      options,
    );
  invariant(source !== null, "what is reversed was chosen before");
  return stripe.transfers.createReversal(source, { amount: price.amount, metadata, expand }, options);
}

/** As Stripe groups the transfer of a payment itself. */
const groupOf = (payment: string): string => `group_${payment}`;

async function find(stripe: Stripe, of: ToTransfer): Promise<TransferSeen | undefined> {
  const made: AsyncIterable<Stripe.Transfer | Stripe.TransferReversal> =
    of.way === "on"
      ? stripe.transfers.list({
          transfer_group: groupOf(of.paymentReference),
          limit: 100,
          expand: ["data.balance_transaction"],
        })
      : stripe.transfers.listReversals(of.source ?? "", { limit: 100, expand: ["data.balance_transaction"] });
  for await (const one of made) if (one.metadata?.["transfer"] === of.id) return seen(one);
  return undefined;
}

async function read(stripe: Stripe, { way, source, reference }: ToTransfer): Promise<TransferSeen> {
  invariant(reference !== null, "what was sent has a name");
  if (way === "on") return seen(await stripe.transfers.retrieve(reference, { expand }));
  return seen(await stripe.transfers.retrieveReversal(source ?? "", reference, { expand }));
}

const seen = ({
  id,
  balance_transaction: booked,
}: Stripe.Transfer | Stripe.TransferReversal): TransferSeen => ({
  reference: id,
  booking: bookingOf(booked ?? undefined).booking,
});

async function reversible(
  stripe: Stripe,
  { paymentReference, amount: wanted }: ToTransfer,
  sentSince: readonly string[],
): Promise<{ reference: string; left: Money } | undefined> {
  const intent = await stripe.paymentIntents.retrieve(paymentReference, { expand: ["latest_charge"] });
  const charge = typeof intent.latest_charge === "object" ? intent.latest_charge : null;
  const own = typeof charge?.transfer === "string" ? charge.transfer : charge?.transfer?.id;
  for (const reference of [...(own === undefined ? [] : [own]), ...sentSince]) {
    const { amount, amount_reversed: reversed, currency } = await stripe.transfers.retrieve(reference);
    const left = fromStripe(amount - reversed, currency);
    // What Stripe sent in other money than was captured, no program takes back by itself.
    if (left?.asset.code === wanted.asset.code && left.units > 0n) return { reference, left };
  }
  return undefined;
}
