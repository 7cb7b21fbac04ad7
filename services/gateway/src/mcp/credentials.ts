import {
  base64,
  isJsonObject,
  type JsonObject,
  Problem,
  rpcCredential,
  rpcPaymentKeys,
} from "@remit/protocol";
import type { Fields } from "../proxy/index.ts";
import { type Message, metaOf } from "./messages.ts";

/** x402's keys in `_meta` (specs/transports-v2/mcp.md). */
export const x402Keys = { payment: "x402/payment", response: "x402/payment-response" } as const;

/** The signed receipt, and whether the answer was paid for by an earlier call. */
export const remitKeys = {
  receipt: "remit/receipt",
  replayed: "remit/replayed",
  price: "remit/price",
} as const;

/**
 * What a call pays with, as the headers that would say the same over HTTP: so there is one reading of credentials, and one
 * rule that a call has only one. MPP lets it stand in `params` or at the root ("Metadata Placement").
 */
export function paymentFieldsOf({ json, params }: Message): Fields {
  return [metaOf(params), metaOf(json)].flatMap((meta) => {
    const x402 = meta[x402Keys.payment];
    const mpp = meta[rpcPaymentKeys.credential];
    return [
      ...(x402 === undefined ? [] : [x402Field(x402)]),
      ...(mpp === undefined ? [] : [["Payment-Authorization", rpcCredential(mpp)] as const]),
    ];
  });
}

function x402Field(payment: unknown): readonly [string, string] {
  if (!isJsonObject(payment))
    throw new Problem("credential_malformed", { detail: `${x402Keys.payment} is no object.` });
  const name = payment["x402Version"] === 2 ? "PAYMENT-SIGNATURE" : "X-PAYMENT";
  return [name, base64.encode(JSON.stringify(payment))];
}

/** Ours to say and to hear: an upstream neither sees a payment nor forges a receipt. */
const isOurs = (key: string): boolean => /^(?:x402|org\.paymentauth|remit)\//.test(key);

export function withoutOurs(of: JsonObject): JsonObject {
  const { _meta: meta, ...rest } = of;
  if (!isJsonObject(meta)) return of;
  const kept = Object.fromEntries(Object.entries(meta).filter(([key]) => !isOurs(key)));
  return Object.keys(kept).length === 0 ? rest : { ...rest, _meta: kept };
}

/** The message as the upstream gets it. A paid call is answered at once: a task's result would leave by another way. */
export function upwardMessage(
  { json, params }: Message,
  { isPaid }: { readonly isPaid: boolean },
): JsonObject {
  const { task, ...plain } = withoutOurs(params);
  const inner = isPaid || task === undefined ? plain : { ...plain, task };
  return { ...withoutOurs(json), ...(json["params"] !== undefined && { params: inner }) };
}
