import {
  base64,
  encodeHeader,
  evmMethod,
  formatReceipt,
  mandateMethod,
  mandateSettled,
  paymentReceiptHeader,
  paymentResponseHeader,
  remitNetwork,
  type SettleResponse,
  stripeMethod,
} from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import type { Credential } from "../credentials/index.ts";
import type { Fields } from "../proxy/index.ts";
import type { Sold } from "../purchases/index.ts";

/** A whole answer, ready to be sent. */
export type WholeAnswer = { readonly status: number; readonly fields: Fields; readonly body: Uint8Array };

/** The upstream's answer with the proof of payment, in each protocol's own header. */
export function paidAnswer(
  sold: Sold,
  by: { readonly issuer: string; readonly credential: Credential },
): WholeAnswer {
  const { status, fields, body } = sold.answer;
  if (sold.kind === "unpaid") return { status, fields: [...fields, ["Cache-Control", "no-store"]], body };
  return { status, fields: [...fields, ["Cache-Control", "private"], ...proofOf(sold, by)], body };
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
  { claim, replayed }: Extract<Sold, { kind: "paid" }>,
  { issuer, credential }: { readonly issuer: string; readonly credential: Credential },
): Fields {
  const { receipt } = claim;
  const { settled, version1, method, reference } = proven(claim, issuer, credential);
  const externalId = credential.rail === "card" ? credential.externalId : undefined;
  const paid = { method, at: claim.updatedAt, reference };
  return [
    [paymentResponseHeader, encodeHeader(settled)],
    ["X-PAYMENT-RESPONSE", base64.encode(JSON.stringify(version1))],
    [paymentReceiptHeader, formatReceipt({ ...paid, ...(externalId !== undefined && { externalId }) })],
    ...(receipt === undefined ? [] : [["Remit-Receipt", receipt] as const]),
    ...(replayed ? [["Idempotent-Replayed", "true"] as const] : []),
  ];
}

function proven(
  claim: Extract<Sold, { kind: "paid" }>["claim"],
  issuer: string,
  credential: Credential,
): Proof {
  const { payer, receipt } = claim;
  const withReceipt = receipt !== undefined && { extensions: { "remit-receipt": { info: { receipt } } } };
  if (claim.rail === "mandate") {
    const { charge = "", amountMinor } = claim;
    const network = remitNetwork(sha256, issuer);
    return {
      settled: mandateSettled({
        charge,
        network,
        payer,
        amountMinor,
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
      settled: { success: true, transaction: reference, network, payer, ...withReceipt },
      // As the gateways that came before spell it.
      version1: { ...stripeMethod, reference },
      method: stripeMethod.method,
      reference,
    };
  }
  const { settlement = "", reference = "" } = claim;
  const network = reference.split("/", 1)[0] ?? "";
  return {
    settled: { success: true, transaction: settlement, network, payer, ...withReceipt },
    version1: { success: true, transaction: settlement, network, payer },
    method: evmMethod.method,
    reference: settlement,
  };
}
