import type { Instant } from "@remit/kernel";
import { type Binding, base64, type NoncePlace, type OfferTool } from "@remit/protocol";
import type { PaidRoute } from "../offers/index.ts";

/** Which protocol a payment comes by. Refusals and receipts are told in its words. */
export type Door = "x402" | "x402-v1" | "mpp";

/** One request for something that is sold: what the offer is bound to. */
export type Wanted = {
  readonly route: PaidRoute;
  readonly method: string;
  /** The merchant's origin, path and query. */
  readonly url: string;
  /** SHA-256 of the request's body; absent when it has none. */
  readonly bodySha256?: Uint8Array;
  /** The tool that is called, as its server lists it. */
  readonly tool?: OfferTool;
};

/** How the buyer asked: what it can read, and whether `Authorization` is taken by a token of its own. */
export type Asking = {
  readonly now: Instant;
  readonly requestId: string;
  readonly wantsHtml: boolean;
  readonly hasOwnAuthorization: boolean;
  /** `Accept-Payment`. */
  readonly acceptPayment?: string;
  /** By which protocol it tried to pay. */
  readonly door?: Door;
};

export const placeOf = ({ route, method }: Wanted): NoncePlace => ({
  route: route.id,
  method,
  origin: route.merchant.origin,
});

/** What the challenge is good for, echoed in `opaque`: without it, one of a route with the same price would do. */
export const bindingOf = ({ route, method, url }: Wanted): Binding => ({
  route: route.id,
  method,
  url,
  tenant: route.merchant.tenant,
});

/** RFC 9530 §2 of the request's body. */
export const contentDigestOf = ({ bodySha256 }: Wanted): string | undefined =>
  bodySha256 === undefined ? undefined : `sha-256=:${base64.encode(bodySha256)}:`;
