import {
  base64,
  encodeHeader,
  formatReceipt,
  mandateMethod,
  mandateSettled,
  paymentReceiptHeader,
  paymentResponseHeader,
  remitNetwork,
} from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import type { Fields } from "../proxy/index.ts";
import type { Sold } from "../purchases/index.ts";

/** A whole answer, ready to be sent. */
export type WholeAnswer = { readonly status: number; readonly fields: Fields; readonly body: Uint8Array };

/** The upstream's answer with the proof of payment, in each protocol's own header. */
export function paidAnswer(sold: Sold, issuer: string): WholeAnswer {
  const { status, fields, body } = sold.answer;
  if (sold.kind === "unpaid") return { status, fields: [...fields, ["Cache-Control", "no-store"]], body };
  return { status, fields: [...fields, ["Cache-Control", "private"], ...proofOf(sold, issuer)], body };
}

function proofOf({ claim, replayed }: Extract<Sold, { kind: "paid" }>, issuer: string): Fields {
  const { charge = "", payer, amountMinor, receipt, updatedAt: at } = claim;
  const network = remitNetwork(sha256, issuer);
  const settled = { charge, network, payer, amountMinor };
  const version1 = { success: true, transaction: charge, network, payer };
  return [
    [
      paymentResponseHeader,
      encodeHeader(mandateSettled({ ...settled, ...(receipt !== undefined && { receipt }) })),
    ],
    ["X-PAYMENT-RESPONSE", base64.encode(JSON.stringify(version1))],
    [paymentReceiptHeader, formatReceipt({ method: mandateMethod.method, at, reference: charge })],
    ...(receipt === undefined ? [] : [["Remit-Receipt", receipt] as const]),
    ...(replayed ? [["Idempotent-Replayed", "true"] as const] : []),
  ];
}
