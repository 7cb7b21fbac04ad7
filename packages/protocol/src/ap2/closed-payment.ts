import { fromRfc3339, type Instant, toNumericDate } from "@remit/kernel";
import { type Digest, isJsonObject, type Json, type JsonObject } from "../encoding/index.ts";
import { canonicalise } from "../jcs/index.ts";
import {
  checkOf,
  clockSkewS,
  isAhead,
  isNumericDate,
  isText,
  keyFor,
  type PublicJwk,
  parseJws,
  payloadOf,
  type SignatureCheck,
  type Unproven,
} from "../jose/index.ts";
import { Problem } from "../problems.ts";
import { type Closed, contentOf, examineClosed, type Hop, holderOf, twoHops } from "./hops.ts";

export type ClosedPaymentInput = {
  /** The open payment mandate and the closed one, joined by `~~`. */
  readonly paymentMandate: string;
  /** The same of the checkout that it pays. */
  readonly checkoutMandate: string;
  /** The open payment mandate's claims, as they were issued. */
  readonly issued: JsonObject;
  /** With which it was signed. */
  readonly issuerKeys: readonly PublicJwk[];
  readonly now: Instant;
};

export type ClosedPayment = {
  /** As in AP2's receipts: the digest of the closed mandate with its disclosures. */
  readonly reference: string;
  /** The digest of the merchant's checkout, which is paid once. */
  readonly transaction: string;
  readonly payee: { readonly id: string; readonly name: string; readonly website?: string };
  readonly amountMinor: number;
  readonly currency: string;
  /** Seconds: when the agent closed it. */
  readonly iat: number;
};

/**
 * AP2 v0.2: a closed payment mandate (`mandate.payment.1`) of an open one that we issued, with the checkout that it pays.
 * Genuine are both chains: the open payment mandate by our signature, the closed one by the holder's, the open checkout
 * mandate by its digest in ours, its closed one by its own holder's. What the open mandate allows holds for the closed one.
 * Not decided here: what was closed before. Throws `export_mandate_invalid` for what is not genuine and
 * `export_mandate_not_allowed` for what the open mandate does not allow.
 */
export function examineClosedPayment(input: ClosedPaymentInput, digest: Digest): Unproven<ClosedPayment> {
  const [open, closed] = twoHops(input.paymentMandate, digest);
  const issued = checkIssued(open, input, digest);
  const payment = examineClosed(closed, { open, holder: holderOf(input.issued), digest });
  const checkout = examineCheckout(input, digest);
  const found = paymentOf(payment, closed.digest);
  if (found.transaction !== checkout.transaction) throw invalid("The payment is of another checkout.");
  checkTimes(payment, input);
  for (const constraint of constraintsOf(input.issued)) checkAllowed(found, constraint, payment.content);
  return { checks: [issued, payment.check, ...checkout.checks], value: found };
}

const invalid = (detail: string): Problem => new Problem("export_mandate_invalid", { detail });
const notAllowed = (detail: string): Problem => new Problem("export_mandate_not_allowed", { detail });

/** The open mandate is the very one that was exported: our signature, and our words. */
function checkIssued(open: Hop, { issued, issuerKeys }: ClosedPaymentInput, digest: Digest): SignatureCheck {
  const jws = parseJws(open.jws, {
    typ: ["dc+sd-jwt"],
    algs: ["ES256", "EdDSA"],
    refuse: "export_mandate_invalid",
  });
  const key = keyFor(issuerKeys, jws.header);
  if (key === undefined) throw invalid("The open mandate's key is not one of the issuer's.");
  if (canonicalise(contentOf(jws.payload, open, digest)) !== canonicalise(issued))
    throw invalid("The open mandate is not the one of this export.");
  return checkOf(jws, key, "export_mandate_invalid");
}

function examineCheckout(
  { checkoutMandate, issued }: ClosedPaymentInput,
  digest: Digest,
): { readonly checks: readonly SignatureCheck[]; readonly transaction: string } {
  const [open, closed] = twoHops(checkoutMandate, digest);
  const wanted = constraintsOf(issued).find(({ type }) => type === "payment.reference");
  const named = wanted?.["conditional_transaction_id"];
  // Whoever signed it: what it says is what our mandate was issued for, or its digest would be another.
  if (named !== open.digest && named !== digest(open.jws))
    throw notAllowed("The checkout mandate is not the one that the payment was allowed for.");
  const content = contentOf(payloadOf(open.jws) ?? {}, open, digest);
  if (content["vct"] !== "mandate.checkout.open.1") throw invalid("It is not an open checkout mandate.");
  const { content: checkout, check } = examineClosed(closed, { open, holder: holderOf(content), digest });
  const { vct, checkout_jwt: jwt, checkout_hash: hash } = checkout;
  if (vct !== "mandate.checkout.1") throw invalid("It is not a closed checkout mandate.");
  if (typeof jwt !== "string" || hash !== digest(jwt))
    throw invalid("checkout_hash is not the digest of checkout_jwt.");
  return { checks: [check], transaction: hash };
}

function paymentOf({ content, iat }: Closed, reference: string): ClosedPayment {
  const { vct, transaction_id: transaction, payee, payment_amount: paid, payment_instrument: by } = content;
  if (vct !== "mandate.payment.1") throw invalid("It is not a closed payment mandate.");
  if (!isText(transaction)) throw invalid("transaction_id is missing.");
  const { amount, currency } = isJsonObject(paid) ? paid : {};
  if (typeof amount !== "number" || !Number.isSafeInteger(amount) || amount < 1 || !isText(currency, 3))
    throw invalid("payment_amount is a whole number of minor units above zero, and its currency.");
  if (!isJsonObject(by) || !isText(by["id"]) || !isText(by["type"]))
    throw invalid("payment_instrument is missing.");
  return { reference, transaction, payee: payeeOf(payee), amountMinor: amount, currency, iat };
}

function payeeOf(payee: Json | undefined): ClosedPayment["payee"] {
  const { id, name, website } = isJsonObject(payee) ? payee : {};
  if (!isText(id) || !isText(name) || (website !== undefined && !isText(website)))
    throw invalid("payee has an id and a name.");
  return { id, name, ...(website === undefined ? {} : { website }) };
}

function checkTimes({ content, iat }: Closed, { issued, now }: ClosedPaymentInput): void {
  const { iat: from, exp: until } = issued;
  if (isAhead(iat, now)) throw invalid("iat lies in the future.");
  if (isNumericDate(from) && iat < from - clockSkewS) throw notAllowed("It was closed before it was open.");
  if (!isNumericDate(until) || iat >= until) throw notAllowed("It was closed after the open mandate's end.");
  const end = content["exp"];
  if (end !== undefined && (!isNumericDate(end) || end <= iat)) throw invalid("exp is not after iat.");
}

type Constraint = JsonObject & { readonly type: string };

function constraintsOf({ constraints }: JsonObject): readonly Constraint[] {
  const all = Array.isArray(constraints) ? constraints : [];
  return all.map((one) => {
    if (!isJsonObject(one) || typeof one["type"] !== "string") throw invalid("A constraint has no type.");
    return { ...one, type: one["type"] };
  });
}

/** AP2, "Verification and Processing Rules" (3): a constraint that nobody knows is not met. */
function checkAllowed(paid: ClosedPayment, constraint: Constraint, content: JsonObject): void {
  switch (constraint.type) {
    // Met by what `examineCheckout` finds; how often and how much in all is for who counts.
    case "payment.reference":
    case "payment.agent_recurrence":
    case "payment.budget":
      return;
    case "payment.amount_range":
      return checkAmount(paid, constraint);
    case "payment.allowed_payees":
      return checkPayee(paid, constraint);
    case "payment.execution_date":
      return checkDate(paid, constraint, content["execution_date"]);
    default:
      throw notAllowed(`The constraint ${constraint.type} is not known here.`);
  }
}

function checkAmount(
  { amountMinor, currency }: ClosedPayment,
  { max, min, currency: wanted }: Constraint,
): void {
  if (currency !== wanted) throw notAllowed("It is in another currency.");
  const isWithin =
    typeof max === "number" && amountMinor <= max && (typeof min !== "number" || amountMinor >= min);
  if (!isWithin) throw notAllowed("The amount is not within the range.");
}

function checkPayee({ payee }: ClosedPayment, { allowed }: Constraint): void {
  const { id, name, website } = payee;
  const isOne = (one: Json): boolean =>
    isJsonObject(one) && one["id"] === id && one["name"] === name && one["website"] === website;
  if (!Array.isArray(allowed) || !allowed.some(isOne)) throw notAllowed("It pays another merchant.");
}

function checkDate(
  { iat }: ClosedPayment,
  { not_before, not_after }: Constraint,
  date: Json | undefined,
): void {
  const on = date === undefined ? iat : secondsOf(date);
  const [from, until] = [not_before, not_after].map((limit) =>
    limit === undefined ? undefined : secondsOf(limit),
  );
  if ((from !== undefined && on < from) || (until !== undefined && on > until))
    throw notAllowed("It is to be paid outside the dates that are allowed.");
}

function secondsOf(date: Json): number {
  const at = typeof date === "string" ? fromRfc3339(date) : undefined;
  if (at === undefined) throw invalid("A date is not one of RFC 3339.");
  return toNumericDate(at);
}
