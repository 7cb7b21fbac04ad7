import { moneyOf } from "@remit/kernel";
import {
  base64,
  encodeHeader,
  evmMethod,
  formatReceipt,
  mandateMethod,
  mandateSettled,
  Problem,
  paymentReceiptHeader,
  paymentResponseHeader,
  remitNetwork,
  type SettleResponse,
  stripeMethod,
} from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import { toStripe } from "@remit/rails/card";
import { readReference, type TransferReference, moneyOf as tokenMoney } from "@remit/rails/x402";
import { partOf } from "../charging/index.ts";
import { takenOf } from "../claims/index.ts";
import type { Credential } from "../credentials/index.ts";
import type { Fields } from "../proxy/index.ts";
import type { Sold, SoldWhole } from "../purchases/index.ts";

/** A whole answer, ready to be sent. */
export type WholeAnswer = { readonly status: number; readonly fields: Fields; readonly body: Uint8Array };

type Whole = SoldWhole;
type Streamed = Extract<Sold, { kind: "stream" }>;

/** The head of an answer that leaves as it comes: with the proof of payment, or the promise that it will follow. */
export function streamedHead(
  { answer, claim, replayed }: Streamed,
  by: { readonly issuer: string; readonly credential: Credential; readonly mayHaveTrailers: boolean },
): Pick<WholeAnswer, "status" | "fields"> {
  const later: Fields = by.mayHaveTrailers ? [["Trailer", provenBy.join(", ")]] : [];
  const proof = claim.meter === undefined ? proofOf({ claim, replayed }, by) : later;
  return { status: answer.status, fields: [...answer.fields, ["Cache-Control", "private"], ...proof] };
}

const provenBy = [paymentResponseHeader, "X-PAYMENT-RESPONSE", paymentReceiptHeader, "Remit-Receipt"];

/** What follows a streamed answer whose price was known at its end only. */
export const streamedProof = (
  claim: Streamed["claim"],
  by: { readonly issuer: string; readonly credential: Credential },
): Fields => (claim.meter === undefined ? [] : proofOf({ claim, replayed: false }, by));

/** The upstream's answer with the proof of payment, in each protocol's own header. */
export function paidAnswer(
  sold: Whole,
  by: { readonly issuer: string; readonly credential: Credential },
): WholeAnswer {
  if (sold.kind === "owed") return owedAnswer(sold, by);
  const { status, fields, body } = sold.answer;
  if (sold.kind === "unpaid") return { status, fields: [...fields, ["Cache-Control", "no-store"]], body };
  return { status, fields: [...fields, ["Cache-Control", "private"], ...proofOf(sold, by)], body };
}

export const credit = "It is paid, and a credit stands: send the same request with the same payment again.";

/**
 * What was paid for and could not be had: the upstream's refusal, with the proof that no second payment is due. MPP's own
 * header is for answers that succeed (draft-ryan-httpauth-payment §5.3), so that the others say it.
 */
function owedAnswer(owed: Owed, by: Parameters<typeof proofOf>[1]): WholeAnswer {
  const proof = [...proofOf({ ...owed, credit }, by), ["Remit-Credit", "true"] as const].filter(
    ([name]) => name !== paymentReceiptHeader,
  );
  const { answer, claim } = owed;
  if (answer instanceof Problem)
    throw new Problem(answer.code, {
      cause: answer,
      detail: answer.detail === undefined ? credit : `${answer.detail} ${credit}`,
      headers: { ...answer.headers, ...Object.fromEntries(proof) },
      extra: { ...answer.extra, ...(claim.receipt !== undefined && { receipt: claim.receipt }) },
      ...(answer.private !== undefined && { private: answer.private }),
    });
  const { status, fields, body } = answer;
  return { status, fields: [...fields, ["Cache-Control", "no-store"], ...proof], body };
}

type Owed = Extract<Whole, { kind: "owed" }>;
type Paid = Pick<Extract<Whole, { kind: "paid" }>, "claim" | "replayed">;

/** What x402 says of a settlement that has failed; nothing by another rail or protocol. */
export function unsettled({ code, extra }: Problem, credential: Credential): SettleResponse | undefined {
  if (credential.rail !== "x402" || credential.door === "mpp" || code !== "payment_declined")
    return undefined;
  const reason = extra?.["decline_code"];
  return {
    success: false,
    errorReason: typeof reason === "string" ? reason : code,
    transaction: "",
    network: credential.accepted?.network ?? credential.network ?? "",
    payer: credential.transfer.authorization.from,
  };
}

/** The same in the header of the protocol. */
export function unsettledHeaders(problem: Problem, credential: Credential): Record<string, string> {
  const failed = unsettled(problem, credential);
  if (failed === undefined) return {};
  return credential.door === "x402"
    ? { [paymentResponseHeader]: encodeHeader(failed) }
    : { "X-PAYMENT-RESPONSE": base64.encode(JSON.stringify(failed)) };
}

type Proof = {
  /** x402 v2. */
  readonly settled: SettleResponse;
  /** x402 v1, in the spelling of its rail. */
  readonly version1: object;
  /** MPP. */
  readonly method: string;
  readonly reference: string;
};

function proofOf(
  { claim, replayed, credit: standing }: Paid & { readonly credit?: string },
  { issuer, credential }: { readonly issuer: string; readonly credential: Credential },
): Fields {
  const { receipt } = claim;
  const { settled, version1, method, reference } = proven(claim, issuer, credential);
  const externalId = credential.rail === "card" ? credential.externalId : undefined;
  const paid = { method, at: claim.updatedAt, reference };
  return [
    [paymentResponseHeader, encodeHeader(standing === undefined ? settled : withCredit(settled, standing))],
    ["X-PAYMENT-RESPONSE", base64.encode(JSON.stringify(version1))],
    [paymentReceiptHeader, formatReceipt({ ...paid, ...(externalId !== undefined && { externalId }) })],
    ...(receipt === undefined ? [] : [["Remit-Receipt", receipt] as const]),
    ...(replayed ? [["Idempotent-Replayed", "true"] as const] : []),
  ];
}

export const withCredit = (settled: SettleResponse, detail: string): SettleResponse => ({
  ...settled,
  extensions: { ...settled.extensions, "remit-credit": { info: { detail } } },
});

/** What a purchase is proven by, in each protocol's words. */
export function proven(claim: Paid["claim"], issuer: string, credential: Credential): Proof {
  const { payer, receipt } = claim;
  const withReceipt = receipt !== undefined && { extensions: { "remit-receipt": { info: { receipt } } } };
  if (claim.rail === "mandate") {
    const { charge = "" } = claim;
    const network = remitNetwork(sha256, issuer);
    return {
      settled: mandateSettled({
        charge,
        network,
        payer,
        amountMinor: takenOf(claim),
        ...(receipt !== undefined && { receipt }),
      }),
      version1: { success: true, transaction: charge, network, payer },
      method: mandateMethod.method,
      reference: charge,
    };
  }
  if (claim.rail === "card") {
    const { reference = "" } = claim;
    const network = credential.accepted?.network ?? "stripe";
    return {
      settled: {
        success: true,
        transaction: reference,
        network,
        payer,
        // Of a fixed price everybody knows it.
        ...(claim.meter !== undefined && { amount: cardAmountOf(claim) }),
        ...withReceipt,
      },
      // As the gateways that came before spell it.
      version1: { ...stripeMethod, reference },
      method: stripeMethod.method,
      reference,
    };
  }
  const { settlement = "", reference = "" } = claim;
  const transfer = readReference(reference);
  const network = transfer?.network ?? "";
  // Of a fixed price everybody knows it.
  const amount = claim.meter !== undefined && transfer && { amount: tokenAmountOf(claim, transfer) };
  return {
    settled: { success: true, transaction: settlement, network, payer, ...amount, ...withReceipt },
    version1: { success: true, transaction: settlement, network, payer },
    method: evmMethod.method,
    reference: settlement,
  };
}

/** In the token's smallest units, like the most that was asked for. */
const tokenAmountOf = (claim: Paid["claim"], transfer: TransferReference): string =>
  partOf(tokenMoney(transfer), takenOf(claim), claim.amountMinor).units.toString();

/** As the card network counts it, like the amount that was asked for. */
function cardAmountOf(claim: Paid["claim"]): string {
  const taken = moneyOf(takenOf(claim), claim.currency);
  return String((taken && toStripe(taken)?.amount) ?? takenOf(claim));
}
