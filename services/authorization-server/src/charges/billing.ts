import { type Clock, type Instant, invariant, newId, secondMs } from "@remit/kernel";
import type { SigningKeys } from "@remit/platform/keys";
import type { Peer, PeerAnswer } from "@remit/platform/peers";
import { type InstructionOrder, isProblemCode, makeInstruction } from "@remit/protocol";
import { PaymentBody, PaymentList } from "@remit/protocol/contracts";
import type { Charge, Payment, Seen, Verb } from "./charges.ts";
import { offerIn } from "./evidence.ts";

/** What billing is told of: a charge, or a tab in its place. */
export type Billable = Pick<
  Charge,
  | "id"
  | "generation"
  | "payer"
  | "payee"
  | "merchant"
  | "instrument"
  | "payment"
  | "amount"
  | "capture"
  | "refunding"
  | "livemode"
> &
  // A tab is charged by card, whatever was bought on it.
  Partial<Pick<Charge, "rail" | "offer" | "former">>;

/** Billing as this room needs it: a word about one charge, or what it knows of it. Neither ever throws. */
export type Billing = {
  /** Gives billing the instruction; sent again it has no second effect, by (charge, generation, verb, refund). */
  send(charge: Billable, verb: Verb): Promise<Seen>;
  read(charge: Billable): Promise<Seen>;
};

export type BillingDeps = {
  readonly peer: Peer;
  readonly origin: string;
  readonly issuer: string;
  readonly keys: Pick<SigningKeys, "sign">;
  readonly clock: Clock;
  /** Told why an outcome is unknown. */
  readonly log: { warn(fields: object, text: string): void };
};

const timeoutMs = 20 * secondMs;
const unknown: Seen = { kind: "unknown" };

export function createBilling(deps: BillingDeps): Billing {
  const attempt = async (charge: Billable, work: () => Promise<Seen>): Promise<Seen> => {
    try {
      return await work();
    } catch (error) {
      // No whole answer: the instruction may or may not have been carried out.
      deps.log.warn({ charge: charge.id, err: error }, "billing gave no answer");
      return unknown;
    }
  };
  const send: Billing["send"] = (charge, verb) =>
    attempt(charge, async () => {
      if ((verb === "hold" || verb === "release") && !(await isFormerGone(send, charge))) return unknown;
      const jti = newId("request");
      const answer = await deps.peer.call({
        origin: deps.origin,
        method: "POST",
        path: pathOf(charge, verb),
        scope: "payments:execute",
        body: { instruction: await instructionOf(deps, charge, { verb, jti, now: deps.clock.now() }) },
        idempotencyKey: jti,
        timeoutMs,
      });
      const seen = seenOf(answer, charge, verb);
      if (seen.kind === "unknown")
        deps.log.warn(
          { charge: charge.id, verb, status: answer.status, code: codeOf(answer.body) },
          "billing gave no outcome",
        );
      return seen;
    });
  return {
    send,
    read: (charge) =>
      attempt(charge, async () => {
        const path = `/api/v1/payments?charge=${charge.id}`;
        const { origin, peer } = deps;
        const answer = await peer.call({ origin, method: "GET", path, scope: "payments:execute", timeoutMs });
        if (answer.status !== 200) return unknown;
        const { data } = PaymentList.parse(answer.body);
        const payment = data.find(
          ({ generation, charge: of }) => of === charge.id && generation === charge.generation,
        );
        return payment === undefined ? { kind: "absent" } : { kind: "payment", payment: paymentOf(payment) };
      }),
  };
}

/**
 * A charge that was amended has an earlier payment, which nothing but a hold was ever asked of: no money is held for the same
 * purchase twice, and a release lets go of both. Asked again, it changes nothing.
 */
async function isFormerGone(send: Billing["send"], charge: Billable): Promise<boolean> {
  const { former, generation } = charge;
  if (former === undefined) return true;
  const before = { ...charge, ...former, generation: generation - 1, former: undefined };
  const seen = await send(before, "release");
  return seen.kind === "payment" && (seen.payment.state === "released" || seen.payment.state === "declined");
}

/** A hold, and a release of what billing may not know yet, go by charge; all else by the payment's id. */
function pathOf({ payment }: Billable, verb: Verb): string {
  if (verb === "hold" || (verb === "release" && payment === undefined)) return "/api/v1/payments";
  invariant(payment !== undefined, "what is captured or refunded was authorised");
  return `/api/v1/payments/${payment}/${verb}`;
}

async function instructionOf(
  { issuer, origin, keys }: BillingDeps,
  charge: Billable,
  { verb, jti, now }: { verb: Verb; jti: string; now: Instant },
): Promise<string> {
  const unsigned = makeInstruction({ order: orderOf(charge, verb), issuer, audience: origin, jti, now });
  return unsigned.finish(await keys.sign("instruction", unsigned.header, unsigned.payload));
}

function orderOf(charge: Billable, verb: Verb): InstructionOrder {
  const amount =
    verb === "capture" ? charge.capture : verb === "refund" ? charge.refunding?.amount : charge.amount;
  invariant(amount !== undefined, "a capture and a refund have their amount");
  return {
    op: verb,
    charge: charge.id,
    generation: charge.generation,
    payer: charge.payer,
    payee: charge.payee,
    merchant: charge.merchant,
    instrument: charge.instrument ?? null,
    amount_minor: Number(amount.units),
    currency: amount.asset.code,
    livemode: charge.livemode,
    ...transferOf(charge),
    ...(verb === "refund" ? refundOf(charge) : {}),
  };
}

function refundOf({ refunding }: Billable): Pick<InstructionOrder, "refund" | "transaction"> {
  if (refunding === undefined) return {};
  const { id: refund, transaction } = refunding;
  return transaction === undefined ? { refund } : { refund, transaction };
}

/** What the merchant signed of how it is paid: the payer's wallet signs nothing else. */
function transferOf({ rail, offer }: Billable): Pick<InstructionOrder, "transfer"> {
  if (rail !== "x402" || offer === undefined) return {};
  const { transfer } = offerIn(offer.evidence);
  invariant(transfer !== undefined, "a charge over the x402 rail has an offer with a transfer");
  return { transfer };
}

function seenOf({ status, body }: PeerAnswer, charge: Billable, verb: Verb): Seen {
  if (status === 200 || status === 201 || status === 202) {
    const payment = PaymentBody.parse(body);
    invariant(payment.charge === charge.id, "billing answers about the charge it was asked about");
    return { kind: "payment", payment: paymentOf(payment) };
  }
  // 402 is billing's own word that this hold cannot be: it made no payment, or one that has ended.
  if (verb === "hold" && (status === 402 || codeOf(body) === "payouts_halted"))
    return { kind: "refused", because: codeOf(body) ?? "payment_declined" };
  // What was captured never grows: a refund that does not fit into what is left never will.
  if (verb === "refund" && status === 409 && codeOf(body) === "charge_refund_exceeds_captured")
    return { kind: "refused", because: "charge_refund_exceeds_captured" };
  return unknown;
}

function codeOf(body: unknown): string | undefined {
  const code = typeof body === "object" && body !== null && "code" in body ? body.code : undefined;
  return typeof code === "string" && isProblemCode(code) ? code : undefined;
}

const paymentOf = (body: PaymentBody): Payment => ({
  id: body.id,
  generation: body.generation,
  state: body.status,
  reference: body.reference ?? undefined,
  capturedMinor: BigInt(body.captured_minor),
  refundedMinor: BigInt(body.refunded_minor),
  refunds: body.refunds?.map(({ id, status, because }) => ({ id, state: status, because })),
  declineCode: body.decline_code,
});
